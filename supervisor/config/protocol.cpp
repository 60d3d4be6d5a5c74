#include "supervisor/config/protocol.h"

namespace sluice::config {

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
  case Protocol::Rtsp:
    return "rtsp";
  case Protocol::Rtmp:
    return "rtmp";
  case Protocol::Hls:
    return "hls";
  }
  return {};
}

std::string_view label_of(Protocol protocol, bool tls) {
  switch (protocol) {
  case Protocol::Rtsp:
    return tls ? "RTSPS" : "RTSP";
  case Protocol::Rtmp:
    return tls ? "RTMPS" : "RTMP";
  case Protocol::Hls:
    return "HLS";
  }
  return {};
}

std::optional<Protocol> protocol_of_url(std::string_view url) {
  if (url.starts_with("rtsp://") || url.starts_with("rtsps://")) return Protocol::Rtsp;
  if (url.starts_with("rtmp://") || url.starts_with("rtmps://")) return Protocol::Rtmp;
  if (url.starts_with("http://") || url.starts_with("https://")) return Protocol::Hls;
  return std::nullopt;
}

} // namespace sluice::config
