// onMetaData, the script data that a publisher begins with: which codecs follow, and facts of their pictures. Codecs
// are called by their FourCC here, also those that FLV numbers ("avc1", "mp4a", ".mp3", "alaw", "ulaw").
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <optional>
#include <string>

namespace sluice::rtmp {

struct Metadata {
  // Empty: not said. "": there is none. What has no FourCC is shown as it was given, a number or a text.
  std::optional<std::string> video, audio;
  double width = 0, height = 0, frame_rate = 0; // 0: not said

  bool operator==(const Metadata &) const = default;
};

// `script_data`: values of AMF0, as MediaMessage has them. Empty: another handler's, or it holds no object.
Result<std::optional<Metadata>> parse_metadata(Bytes script_data);

// As the payload of a message of type DataAmf0. FLV's numbers where it has one, else FourCCs as enhanced RTMP writes
// them.
ByteVector write_metadata(const Metadata &metadata);

} // namespace sluice::rtmp
