#include "workers/rtsp/protocol/url.h"

#include "common/base/text.h"
#include "workers/rtsp/protocol/head.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::rtsp {
namespace {

constexpr std::string_view kTrackMark = "/trackID=";

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool consists_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_alphanumeric(c) || more.find(c) != std::string_view::npos; });
}

std::optional<std::string_view> after_scheme(std::string_view text, bool &tls) {
  for (std::string_view scheme : {"rtsp://", "rtsps://"}) {
    if (!equal_ignoring_case(text.substr(0, scheme.size()), scheme)) continue;
    tls = scheme.size() == 8;
    return text.substr(scheme.size());
  }
  return std::nullopt;
}

// [userinfo@]host[:port]
Result<void> parse_authority(std::string_view text, Url &url) {
  if (size_t at = text.rfind('@'); at != std::string_view::npos) {
    url.userinfo = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  size_t host_end = 0;
  if (text.starts_with('[')) {
    size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || bracket == 1) return Error{"invalid host"};
    if (!consists_of(text.substr(1, bracket - 1), ":.%-_~")) return Error{"invalid host"};
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    if (host_end == 0 || !consists_of(text.substr(0, host_end), "-._~%")) return Error{"invalid host"};
  }
  url.host = text.substr(0, host_end);
  text.remove_prefix(host_end);
  if (text.empty() || text == ":") return {};
  uint16_t port = 0;
  auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), port);
  if (text[0] != ':' || error != std::errc() || end != text.data() + text.size()) return Error{"invalid port"};
  url.port = port;
  return {};
}

} // namespace

std::string Url::origin() const {
  std::string result = tls ? "rtsps://" : "rtsp://";
  if (!userinfo.empty()) result += userinfo + "@";
  result += host;
  if (port) result += ":" + std::to_string(*port);
  return result;
}

std::optional<std::string> Url::path_and_query() const {
  if (path.empty()) return std::nullopt;
  std::string result = path.substr(1);
  if (!query.empty()) result += "?" + query;
  return result;
}

std::string Url::text() const {
  return origin() + path + (has_query ? "?" + query : "");
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return Error{fmt::format("URL exceeds {} bytes", kMaxUrlBytes)};
  bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) > 0x20 && c != 0x7f; });
  if (!printable) return Error{"invalid character in URL"};
  if (text.find('#') != std::string_view::npos) return Error{"URLs with fragments are not supported"};
  Url url;
  std::optional<std::string_view> rest = after_scheme(text, url.tls);
  if (!rest) return Error{"unsupported URL scheme"};
  std::string_view authority = rest->substr(0, rest->find_first_of("/?"));
  rest->remove_prefix(authority.size());
  TRY(parse_authority(authority, url));
  size_t question = rest->find('?');
  url.path = rest->substr(0, question);
  url.has_query = question != std::string_view::npos;
  if (url.has_query) url.query = rest->substr(question + 1);
  return url;
}

PathAndQuery split_query(std::string_view path_and_query) {
  size_t question = path_and_query.find('?');
  if (question == std::string_view::npos) return {std::string(path_and_query), ""};
  return {std::string(path_and_query.substr(0, question)), std::string(path_and_query.substr(question + 1))};
}

std::string_view path_name_flaw(std::string_view name) {
  if (name.empty()) return "cannot be empty";
  if (name.front() == '/') return "can't begin with a slash";
  if (name.back() == '/') return "can't end with a slash";
  if (!consists_of(name, "_-/.~")) {
    return "can contain only alphanumeric characters, underscore, dot, tilde, minus or slash";
  }
  return {};
}

Result<void> check_path_name(std::string_view name) {
  std::string_view flaw = path_name_flaw(name);
  if (flaw.empty()) return {};
  return Error{fmt::format("invalid path name: {} ({})", flaw, name)};
}

Result<PlayTarget> parse_play_target(const Url &url) {
  std::optional<std::string> whole = url.path_and_query();
  if (!whole) return Error{"invalid path"};
  std::string_view text = *whole;
  PlayTarget target;
  size_t mark = text.rfind(kTrackMark);
  std::string_view rest;
  if (mark == std::string_view::npos) {
    if (!text.ends_with('/')) {
      return Error{"path of a SETUP request must end with a slash. This typically happens when VLC fails a request, "
                   "and then switches to an unsupported RTSP dialect"};
    }
    text.remove_suffix(1);
  } else {
    rest = text.substr(mark + kTrackMark.size());
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), target.track);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (error != std::errc() || (!rest.empty() && rest[0] != '?')) {
      return Error{fmt::format("unable to parse track ID ({})", text)};
    }
    text = text.substr(0, mark);
    while (text.ends_with('/')) text.remove_suffix(1); // of a base that has one, and a slash put behind it
  }
  PathAndQuery parts = split_query(text);
  target.path = std::move(parts.path);
  target.query = std::move(parts.query);
  if (target.query.empty() && !rest.empty()) target.query = rest.substr(1);
  return target;
}

std::optional<std::string> control_path_and_query(const Url &base, std::string_view control) {
  if (control.empty() || control == "*") return base.path_and_query();
  bool tls = false;
  std::string text;
  if (after_scheme(control, tls)) {
    text = control;
  } else {
    text = base.text();
    if (control[0] != '?' && !text.ends_with('/')) text += '/';
    text += control;
  }
  Result<Url> url = parse_url(text);
  if (!url) return std::nullopt;
  return url->path_and_query();
}

} // namespace sluice::rtsp
