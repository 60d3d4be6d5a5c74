#include "supervisor/sources/source_url.h"

#include <charconv>
#include <string_view>

namespace sluice {
namespace {

constexpr uint16_t kRtspPort = 554, kRtspsPort = 322;

// What stands between "://" and the path. Passwords may hold anything but a slash, '?' and '#'.
std::string_view authority_of(std::string_view url) {
  size_t begin = url.find("://");
  if (begin == url.npos) return {};
  url.remove_prefix(begin + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

// "user:password@", as it stands in the URL.
std::string userinfo_of(std::string_view url) {
  std::string_view authority = authority_of(url);
  return std::string(authority.substr(0, authority.rfind('@') + 1)); // nothing, without one
}

// ":port", or nothing.
bool parse_port(std::string_view text, uint16_t &port) {
  if (text.empty() || text == ":") return true;
  if (text[0] != ':') return false;
  auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

} // namespace

Result<SourceHost> host_of_source(const std::string &url) {
  SourceHost host;
  host.tls = url.starts_with("rtsps://");
  host.port = host.tls ? kRtspsPort : kRtspPort;
  std::string_view rest = authority_of(url);
  rest.remove_prefix(rest.rfind('@') + 1);
  size_t end = rest.starts_with('[') ? rest.find(']') : rest.find(':');
  if (rest.starts_with('[') && end != rest.npos) {
    host.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    host.host = rest.substr(0, end);
    rest.remove_prefix(host.host.size());
  }
  bool valid = (host.tls || url.starts_with("rtsp://")) && !host.host.empty() &&
               host.host.find('[') == host.host.npos && parse_port(rest, host.port);
  if (!valid) return Error{"not a valid RTSP URL"};
  return host;
}

std::string redirected_url(const std::string &from, const std::string &to) {
  bool leaves_tls = from.starts_with("rtsps:") && !to.starts_with("rtsps:");
  size_t begin = to.find("://");
  if (leaves_tls || begin == to.npos || !userinfo_of(to).empty()) return to;
  return to.substr(0, begin + 3) + userinfo_of(from) + to.substr(begin + 3);
}

} // namespace sluice
