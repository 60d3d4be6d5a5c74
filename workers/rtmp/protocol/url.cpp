#include "workers/rtmp/protocol/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::rtmp {
namespace {

std::string_view take_query(std::string_view &text) {
  size_t question = text.find('?');
  if (question == std::string_view::npos) return {};
  std::string_view query = text.substr(question + 1);
  text = text.substr(0, question);
  return query;
}

void add_query(std::string &query, std::string_view more) {
  if (!query.empty() && !more.empty()) query += '&';
  query += more;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// "host[:port]", its port not looked at.
std::string_view host_of(std::string_view authority) {
  size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  return authority.substr(0, authority.find(':', bracket));
}

Result<void> split_authority(std::string_view authority, Url &url) {
  size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  std::string_view host = host_of(authority);
  if (host.empty() || host == "[]") return Error{"URL without a host"};
  url.host = host;
  std::string_view port = authority.substr(host.size());
  if (port.empty()) return {};
  port.remove_prefix(1);
  uint16_t number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) return Error{"URL with an invalid port"};
  url.port = number;
  return {};
}

// What is before the path; `text` is what is behind its first slash afterwards.
Result<Url> parse_server(std::string_view &text) {
  if (text.size() > kMaxUrlBytes) return Error{"URL is too long"};
  if (!is_printable(text)) return Error{"URL with characters that can't be in one"};
  Url url;
  url.tls = text.starts_with("rtmps://");
  if (!url.tls && !text.starts_with("rtmp://")) return Error{"URL does not begin with rtmp:// or rtmps://"};
  text.remove_prefix(url.tls ? 8 : 7);
  std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(authority.size());
  TRY(split_authority(authority, url));
  if (text.starts_with('/')) text.remove_prefix(1);
  return url;
}

// "user:password" as a query; what has a meaning there is encoded.
std::string as_query(std::string_view userinfo) {
  auto escaped = [](std::string_view text) {
    std::string result;
    for (char c : text) {
      if (c == '&' || c == '=' || c == '+' || c == '#')
        result += fmt::format("%{:02X}", static_cast<unsigned>(c));
      else
        result += c;
    }
    return result;
  };
  size_t colon = std::min(userinfo.find(':'), userinfo.size());
  std::string query = "user=" + escaped(userinfo.substr(0, colon));
  return query + "&pass=" + escaped(userinfo.substr(std::min(colon + 1, userinfo.size())));
}

bool names_user(std::string_view query) {
  return query.starts_with("user=") || query.find("&user=") != std::string_view::npos;
}

} // namespace

PathAndQuery path_and_query(std::string_view app, std::string_view stream) {
  PathAndQuery result;
  result.query.reserve(app.size() + stream.size()); // no copies of credentials are left behind
  result.query = take_query(stream);
  add_query(result.query, take_query(app));
  while (app.ends_with('/')) app.remove_suffix(1);
  while (stream.starts_with('/')) stream.remove_prefix(1);
  result.path = app;
  result.path += '/';
  result.path += stream;
  while (result.path.ends_with('/')) result.path.pop_back();
  result.path.erase(0, result.path.find_first_not_of('/'));
  return result;
}

bool is_valid_tc_url(std::string_view text) {
  size_t colon = text.find("://");
  if (colon == 0 || colon == std::string_view::npos || colon != text.find_first_of(":/?")) return false;
  std::string_view authority = text.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  authority.remove_prefix(std::min(authority.rfind('@') + 1, authority.size()));
  return !host_of(authority).empty();
}

std::string Url::tc_url() const {
  std::string_view name = app;
  take_query(name);
  return fmt::format("{}://{}{}/{}", tls ? "rtmps" : "rtmp", host, port ? fmt::format(":{}", *port) : "", name);
}

std::string Url::text() const {
  return fmt::format("{}://{}{}{}{}/{}{}{}", tls ? "rtmps" : "rtmp", userinfo, userinfo.empty() ? "" : "@", host,
                     port ? fmt::format(":{}", *port) : "", app, stream.empty() ? "" : "/", stream);
}

Result<Url> parse_url(std::string_view text) {
  Url url = TRY(parse_server(text));
  bool has_query = text.find('?') != std::string_view::npos;
  std::string_view query = take_query(text);
  size_t split = text.find('/');
  if (split != std::string_view::npos) {
    size_t second = text.find('/', split + 1);
    if (second != std::string_view::npos) split = second;
    url.stream = text.substr(split + 1);
  }
  url.app = text.substr(0, split);
  if (url.app.empty()) return Error{"URL without a path"};
  if (has_query) {
    std::string &owner = url.stream.empty() ? url.app : url.stream;
    owner += '?';
    owner += query;
  }
  return url;
}

Result<Url> parse_tc_url(std::string_view tc_url, std::string_view stream) {
  Url url = TRY(parse_server(tc_url));
  url.app = tc_url;
  url.stream = stream;
  if (url.app.empty()) return Error{"URL without a path"};
  return url;
}

StreamRequest stream_request(const Url &url) {
  StreamRequest request{url.app, url.stream};
  if (url.userinfo.empty()) return request;
  std::string &owner = request.stream.empty() ? request.app : request.stream;
  std::string_view rest = owner;
  bool has_query = owner.find('?') != std::string::npos;
  std::string_view query = take_query(rest);
  if (names_user(query)) return request;
  if (!has_query) owner += '?';
  if (!query.empty()) owner += '&';
  owner += as_query(url.userinfo);
  return request;
}

} // namespace sluice::rtmp
