// The a=rtpmap and a=fmtp of a track, codec by codec: which codec an encoding name means, what a static payload
// type (RFC 3551 section 6) means, and the one layout in which Sluice writes format parameters. Parameter sets
// and configurations stay as they were given.
#pragma once

#include "common/media/stream_description.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::rtsp {

struct StaticPayload {
  std::string_view encoding;
  uint32_t clock_rate = 0;
  uint8_t channels = 0;
};

// Of payload types 0 to 34, where assigned.
std::optional<StaticPayload> static_payload(uint8_t payload_type);

media::Codec codec_of(media::MediaKind kind, std::string_view encoding);

// Sets encoding, channels and fmtp as they are written. Normalising again changes nothing.
void normalise(media::Track &track);

} // namespace sluice::rtsp
