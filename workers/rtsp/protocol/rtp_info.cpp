#include "workers/rtsp/protocol/rtp_info.h"

#include <fmt/format.h>

namespace sluice::rtsp {

std::string write_rtp_info(const Url &request_url, std::string_view path, std::span<const RtpInfo> tracks) {
  std::string text;
  for (const RtpInfo &info : tracks) {
    if (!text.empty()) text += ',';
    text += fmt::format("url={}/{}/trackID={};seq={};rtptime={}", request_url.origin(), path, info.track,
                        info.next_sequence, info.rtp_time);
  }
  return text;
}

} // namespace sluice::rtsp
