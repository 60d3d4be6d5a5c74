#include "supervisor/config/source_url.h"

#include <fmt/core.h>

#include <charconv>

namespace sluice::config {
namespace {

// RTMPS has no registered port: 443 is what services listen on, and what clients take.
uint16_t default_port(Protocol protocol, bool tls) {
  switch (protocol) {
  case Protocol::Rtsp:
    return tls ? 322 : 554;
  case Protocol::Rtmp:
    return tls ? 443 : 1935;
  case Protocol::Hls:
    return tls ? 443 : 80;
  }
  return 0;
}

bool is_over_tls(std::string_view url) {
  return url.starts_with("rtsps://") || url.starts_with("rtmps://") || url.starts_with("https://");
}

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

Result<SourceHost> host_of_source(std::string_view url) {
  std::optional<Protocol> protocol = protocol_of_url(url);
  if (!protocol) return Error{"not a valid source URL"};
  SourceHost host;
  host.protocol = *protocol;
  host.tls = is_over_tls(url);
  host.port = default_port(host.protocol, host.tls);
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
  bool valid = !host.host.empty() && host.host.find('[') == host.host.npos && parse_port(rest, host.port);
  if (!valid) return Error{fmt::format("not a valid {} URL", label_of(host.protocol, false))};
  return host;
}

bool has_whole_credentials(std::string_view url) {
  std::string userinfo = userinfo_of(url);
  size_t colon = userinfo.find(':');
  bool user = colon == userinfo.npos ? userinfo.size() > 1 : colon > 0;
  bool password = colon != userinfo.npos && colon + 2 < userinfo.size(); // behind it the '@'
  return user == password;
}

std::string redirected_url(const std::string &from, const std::string &to) {
  bool leaves_tls = is_over_tls(from) && !is_over_tls(to);
  size_t begin = to.find("://");
  if (leaves_tls || begin == to.npos || !userinfo_of(to).empty()) return to;
  return to.substr(0, begin + 3) + userinfo_of(from) + to.substr(begin + 3);
}

} // namespace sluice::config
