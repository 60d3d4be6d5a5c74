#include "workers/rtsp/protocol/response.h"

#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace sluice::rtsp {
namespace {

std::string head_text(const Response &response) {
  std::vector<Header> headers = response.headers.all();
  if (!response.cseq.empty()) headers.push_back({"CSeq", response.cseq});
  headers.push_back({"Server", "sluice"});
  if (!response.body.empty()) headers.push_back({"Content-Length", std::to_string(response.body.size())});
  std::stable_sort(headers.begin(), headers.end(), [](const Header &a, const Header &b) { return a.name < b.name; });

  std::string text =
      fmt::format("RTSP/1.0 {} {}\r\n", static_cast<unsigned>(response.status), reason_phrase(response.status));
  for (const Header &header : headers) text += header.name + ": " + header.value + "\r\n";
  text += "\r\n";
  return text;
}

} // namespace

std::string_view reason_phrase(Status status) {
  switch (status) {
  case Status::Ok:
    return "OK";
  case Status::MovedPermanently:
    return "Moved Permanently";
  case Status::BadRequest:
    return "Bad Request";
  case Status::Unauthorized:
    return "Unauthorized";
  case Status::NotFound:
    return "Not Found";
  case Status::SessionNotFound:
    return "Session Not Found";
  case Status::MethodNotValidInThisState:
    return "Method Not Valid In This State";
  case Status::UnsupportedTransport:
    return "Unsupported Transport";
  case Status::InternalServerError:
    return "Internal Server Error";
  case Status::NotImplemented:
    return "Not Implemented";
  case Status::ServiceUnavailable:
    return "Service Unavailable";
  }
  return "Unknown";
}

void serialise(const Response &response, ByteVector &out) {
  std::string head = head_text(response);
  out.reserve(out.size() + head.size() + response.body.size());
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), response.body.begin(), response.body.end());
}

std::optional<size_t> serialise(const Response &response, MutableBytes out) {
  std::string text = head_text(response) + response.body;
  if (text.size() > out.size()) return std::nullopt;
  std::memcpy(out.data(), text.data(), text.size());
  return text.size();
}

Result<std::optional<ParsedResponse>> parse_response(Bytes input, ParseHint &hint) {
  std::optional<Head> head = TRY(parse_head(input, hint));
  if (!head) return std::optional<ParsedResponse>();
  std::string_view line = head->start_line; // RTSP/1.0 SP 3DIGIT [SP reason]
  constexpr std::string_view kPrefix = "RTSP/1.0 ";
  if (!line.starts_with(kPrefix)) return Error{"expected 'RTSP/1.0'"};
  line.remove_prefix(kPrefix.size());
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  bool valid =
      line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, is_digit) && (line.size() == 3 || line[3] == ' ');
  if (!valid) return Error{"invalid status code"};

  ParsedResponse parsed;
  parsed.status = static_cast<uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
  parsed.reason = trim(line.substr(3));
  parsed.headers = std::move(head->headers);
  parsed.body.assign(head->body.begin(), head->body.end());
  parsed.consumed = head->consumed;
  return std::optional<ParsedResponse>(std::move(parsed));
}

Result<std::optional<ParsedResponse>> parse_response(Bytes input) {
  ParseHint hint;
  return parse_response(input, hint);
}

} // namespace sluice::rtsp
