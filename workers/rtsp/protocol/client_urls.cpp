#include "workers/rtsp/protocol/client_urls.h"

#include <algorithm>

namespace sluice::rtsp {
namespace {

bool is_absolute(std::string_view text) {
  size_t colon = text.find("://");
  return colon != std::string_view::npos && colon == text.find_first_of(":/?");
}

Url at_same_server(Url url, const Url &server) {
  url.tls = server.tls;
  url.userinfo.clear();
  url.host = server.host;
  url.port = server.port;
  return url;
}

std::string server_of(const Url &url) {
  return at_same_server(Url(), url).origin();
}

// RFC 3986 section 5.2, as far as servers make use of it.
Result<Url> resolved(const Url &base, std::string_view reference) {
  if (is_absolute(reference)) return parse_url(reference);
  if (reference.starts_with("//")) return parse_url((base.tls ? "rtsps:" : "rtsp:") + std::string(reference));
  if (reference.starts_with('/')) return parse_url(server_of(base) + std::string(reference));
  std::string folder = base.path.substr(0, base.path.rfind('/') + 1);
  if (folder.empty()) folder = "/";
  return parse_url(server_of(base) + folder + std::string(reference));
}

} // namespace

Url base_url(const Url &request, const Headers &response, std::string_view session_control) {
  if (is_absolute(session_control)) {
    if (auto url = parse_url(session_control)) return at_same_server(std::move(*url), request);
  }
  for (std::string_view name : {"Content-Base", "Content-Location"}) {
    const std::string *value = response.find(name);
    if (value == nullptr || value->empty()) continue;
    if (auto url = resolved(request, *value)) return at_same_server(std::move(*url), request);
  }
  return at_same_server(request, request);
}

Result<Url> track_url(const Url &base, std::string_view control) {
  if (control.empty() || control == "*") return base;
  if (is_absolute(control)) return at_same_server(TRY(parse_url(control)), base);
  std::string_view folder = base.path;
  if (folder.ends_with('/')) folder.remove_suffix(1);
  if (!folder.empty() && control.starts_with(folder) && control.substr(folder.size()).starts_with('/'))
    return at_same_server(TRY(parse_url(server_of(base) + std::string(control))), base);
  std::string text = base.text();
  if (text.ends_with('/') && control.starts_with('/')) control.remove_prefix(1);
  if (!text.ends_with('/') && !control.starts_with('/') && !control.starts_with('?')) text += '/';
  return at_same_server(TRY(parse_url(text + std::string(control))), base);
}

Result<Url> redirection_url(const Url &request, std::string_view location) {
  return resolved(request, location);
}

} // namespace sluice::rtsp
