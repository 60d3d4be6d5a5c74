// The RTP-Info header (RFC 2326 section 12.33) of an answer to PLAY.
#pragma once

#include "workers/rtsp/protocol/url.h"

#include <span>

namespace sluice::rtsp {

struct RtpInfo {
  uint32_t track = 0;
  uint16_t next_sequence = 0; // of the first packet to come
  uint32_t rtp_time = 0;      // that is now
};

// url=<origin>/<path>/trackID=N;seq=S;rtptime=T[,…]; "" for no tracks.
std::string write_rtp_info(const Url &request_url, std::string_view path, std::span<const RtpInfo> tracks);

} // namespace sluice::rtsp
