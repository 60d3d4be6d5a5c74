#include "common/http/head_scanner.h"

namespace sluice::http {
namespace {

constexpr size_t kMaxRequestLineBytes = kMaxMethodBytes + kMaxTargetBytes + sizeof("  HTTP/1.1") - 1;

} // namespace

size_t HeadScanner::scan(Bytes input) {
  size_t taken = 0;
  while (taken < input.size() && !complete_ && !refusal_) take(static_cast<char>(input[taken++]));
  return taken;
}

void HeadScanner::take(char c) {
  if (after_carriage_return_) {
    if (c != '\n') return refuse(400, "carriage return within a line");
    return end_line();
  }
  if (c == '\r') {
    after_carriage_return_ = true;
    return;
  }
  if (c == '\n') return refuse(400, "line ends without carriage return");
  auto code = static_cast<uint8_t>(c);
  if (code == 0x7f || (code < 0x20 && c != '\t')) return refuse(400, "control character in the head");
  bool line_begins = text_.size() == line_start_;
  if (first_line_ && (c == '\t' || code >= 0x80)) return refuse(400, "invalid character in the request line");
  if (line_begins && (c == ' ' || c == '\t')) return refuse(400, "line begins with white space");
  text_.push_back(c);
  if (first_line_ && text_.size() > kMaxRequestLineBytes) return refuse(414, "request line too long");
  if (text_.size() > kMaxHeadBytes) return refuse(431, "head too large");
}

void HeadScanner::end_line() {
  after_carriage_return_ = false;
  if (text_.empty()) {
    if (++leading_lines_ > kMaxLeadingLines) refuse(400, "too many empty lines");
    return;
  }
  complete_ = text_.size() == line_start_;
  text_ += "\r\n";
  line_start_ = text_.size();
  first_line_ = false;
  if (text_.size() > kMaxHeadBytes) {
    complete_ = false;
    refuse(431, "head too large");
  }
}

} // namespace sluice::http
