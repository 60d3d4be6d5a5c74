#include "workers/rtsp/protocol/head.h"

#include "common/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr size_t kMaxLineBytes = kMaxHeaderNameBytes + kMaxHeaderValueBytes + 16; // separators and spaces

bool is_line_end(uint8_t c) {
  return c == '\r' || c == '\n';
}

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Takes the next line, which is known to be complete, from the front.
std::string_view take_line(std::string_view &rest) {
  size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return without_carriage_return(line);
}

// Moves the hint to the end of the known lines; the offset behind the empty line that ends the head, if it is there.
Result<std::optional<size_t>> find_head_end(std::string_view text, size_t skip, ParseHint &hint) {
  if (hint.scanned > text.size() || hint.line_start > hint.scanned) hint = {};
  size_t line_start = std::max<size_t>(hint.line_start, skip);
  size_t scanned = std::max<size_t>(hint.scanned, line_start);
  std::optional<size_t> head_end;
  while (!head_end) {
    size_t end = text.find('\n', scanned);
    size_t line_bytes = std::min(end, text.size()) - line_start;
    if (line_bytes > kMaxLineBytes) return Error{fmt::format("line exceeds {} bytes", kMaxLineBytes)};
    if (end == std::string_view::npos) break;
    if (without_carriage_return(text.substr(line_start, line_bytes)).empty()) head_end = end + 1;
    line_start = scanned = end + 1;
  }
  size_t head_bytes = head_end.value_or(text.size());
  if (head_bytes > kMaxHeadBytes) return Error{fmt::format("headers exceed {} bytes", kMaxHeadBytes)};
  if (!head_end) {
    hint.line_start = static_cast<uint32_t>(line_start);
    hint.scanned = static_cast<uint32_t>(text.size());
  }
  return head_end;
}

Result<Header> parse_header(std::string_view line) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Error{"header without colon"};
  std::string_view name = line.substr(0, colon);
  while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
  std::string_view value = trim(line.substr(colon + 1));
  if (!http::is_token(name)) return Error{"invalid header name"};
  if (name.size() > kMaxHeaderNameBytes) {
    return Error{fmt::format("header name exceeds {} bytes", kMaxHeaderNameBytes)};
  }
  if (value.size() > kMaxHeaderValueBytes) {
    return Error{fmt::format("header value exceeds {} bytes", kMaxHeaderValueBytes)};
  }
  if (!http::is_header_value(value)) return Error{"invalid character in a header"};
  return Header{std::string(name), std::string(value)};
}

Result<size_t> body_length(const Headers &headers) {
  const std::string *value = headers.find("Content-Length");
  if (!value) return size_t{0};
  if (headers.count("Content-Length") > 1) return Error{"Content-Length provided multiple times"};
  bool digits = std::all_of(value->begin(), value->end(), [](char c) { return c >= '0' && c <= '9'; });
  if (value->empty() || !digits) return Error{"invalid Content-Length"};
  size_t length = 0;
  for (char c : *value) {
    length = length * 10 + static_cast<size_t>(c - '0');
    if (length > kMaxBodyBytes) return Error{fmt::format("Content-Length exceeds {} (it's {})", kMaxBodyBytes, *value)};
  }
  return length;
}

} // namespace

Result<std::optional<Head>> parse_head(Bytes input, ParseHint &hint) {
  if (hint.total <= kMaxMessageBytes && input.size() < hint.total) return std::optional<Head>();
  size_t skip = 0;
  while (skip < input.size() && is_line_end(input[skip])) {
    if (++skip > kMaxLeadingLineEndBytes) return Error{"too many empty lines"};
  }
  std::string_view text = as_text(input);
  std::optional<size_t> head_end = TRY(find_head_end(text, skip, hint));
  if (!head_end) return std::optional<Head>();

  Head head;
  std::string_view rest = text.substr(skip, *head_end - skip);
  head.start_line = take_line(rest);
  for (std::string_view line = take_line(rest); !line.empty(); line = take_line(rest)) {
    if (head.headers.all().size() == kMaxHeaders) return Error{fmt::format("headers count exceeds {}", kMaxHeaders)};
    Header header = TRY(parse_header(line));
    head.headers.add(std::move(header.name), std::move(header.value));
  }
  size_t length = TRY(body_length(head.headers));
  head.consumed = *head_end + length;
  if (input.size() < head.consumed) {
    hint.total = static_cast<uint32_t>(head.consumed);
    return std::optional<Head>();
  }
  head.body = input.subspan(*head_end, length);
  return std::optional<Head>(std::move(head));
}

} // namespace sluice::rtsp
