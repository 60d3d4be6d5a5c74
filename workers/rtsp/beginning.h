// What a reader is told about the media that it gets first when it begins at a random access point: the answer to PLAY
// (RTP-Info) and the first sender reports go by it.
#pragma once

#include "common/media/stream_description.h"
#include "ipc/ring/ring_reader.h"
#include "workers/rtsp/protocol/rtp_info.h"

#include <vector>

namespace sluice::rtsp {

struct Beginning {
  std::vector<RtpInfo> tracks; // those that had traffic
  Nanoseconds instant = 0;     // that all their times are about; monotonic
};

// `cursor`: first entry of a random access unit; `wanted`: a bit for each track. Tracks that bring nothing between the
// cursor and the head (or kMaxScan entries) are told with their next packet.
Beginning beginning_at(const ring::RingReader &ring, uint64_t cursor, uint32_t wanted,
                       const media::StreamDescription &description);

} // namespace sluice::rtsp
