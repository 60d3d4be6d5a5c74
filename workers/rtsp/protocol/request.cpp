#include "workers/rtsp/protocol/request.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

Method parse_method(std::string_view name) {
  struct Entry {
    std::string_view name;
    Method method;
  };
  static constexpr Entry kMethods[] = {
      {"OPTIONS", Method::Options},
      {"DESCRIBE", Method::Describe},
      {"ANNOUNCE", Method::Announce},
      {"SETUP", Method::Setup},
      {"PLAY", Method::Play},
      {"RECORD", Method::Record},
      {"PAUSE", Method::Pause},
      {"TEARDOWN", Method::Teardown},
      {"GET_PARAMETER", Method::GetParameter},
      {"SET_PARAMETER", Method::SetParameter},
  };
  for (const Entry &entry : kMethods) {
    if (entry.name == name) return entry.method;
  }
  return Method::Other;
}

bool is_method_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

Result<Request> parse_start_line(std::string_view line) {
  size_t first = line.find(' ');
  size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return Error{"invalid request line"};
  std::string_view method = line.substr(0, first);
  std::string_view url = line.substr(first + 1, second - first - 1);
  std::string_view protocol = line.substr(second + 1);
  if (method.empty() || !std::all_of(method.begin(), method.end(), is_method_char)) return Error{"invalid method"};
  if (method.size() > kMaxMethodBytes) return Error{fmt::format("method exceeds {} bytes", kMaxMethodBytes)};
  if (url.size() > kMaxUrlBytes) return Error{fmt::format("URL exceeds {} bytes", kMaxUrlBytes)};
  if (protocol != "RTSP/1.0") return Error{"expected 'RTSP/1.0'"};

  Request request;
  request.method = parse_method(method);
  request.method_name = method;
  request.url_text = url;
  if (url != "*") request.url = TRY(parse_url(url));
  return request;
}

} // namespace

Result<std::optional<ParsedRequest>> parse_request(Bytes input, ParseHint &hint) {
  std::optional<Head> head = TRY(parse_head(input, hint));
  if (!head) return std::optional<ParsedRequest>();
  ParsedRequest parsed;
  parsed.request = TRY(parse_start_line(head->start_line));
  parsed.request.headers = std::move(head->headers);
  parsed.request.body.assign(head->body.begin(), head->body.end());
  parsed.consumed = head->consumed;
  return std::optional<ParsedRequest>(std::move(parsed));
}

Result<std::optional<ParsedRequest>> parse_request(Bytes input) {
  ParseHint hint;
  return parse_request(input, hint);
}

} // namespace sluice::rtsp
