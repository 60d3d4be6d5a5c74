// Which tracks of a stream a reader gets: the first video track that it takes, and the first audio track, or all of
// them if it takes several. Everybody takes what FLV has had from the beginning: H264, AAC, MP3, G.711; what enhanced
// RTMP adds only those who say so in their connect. Pure.
#pragma once

#include "common/base/result.h"
#include "common/media/stream_description.h"
#include "workers/rtmp/protocol/machine.h"

#include <optional>
#include <vector>

namespace sluice::rtmp {

struct Selection {
  std::optional<uint8_t> video; // indices in the stream
  std::vector<uint8_t> audio;   // the one at index i with track id i

  // The readers of one stream with the same selection get the same bytes.
  auto operator<=>(const Selection &) const = default;
};

// Error: there is nothing that the client takes.
Result<Selection> select_tracks(const media::StreamDescription &description, const ClientFacts &client);

} // namespace sluice::rtmp
