#include "common/http/head_scanner.h"

#include <algorithm>

namespace sluice::http {
namespace {

constexpr size_t kMaxRequestLineBytes = kMaxMethodBytes + kMaxTargetBytes + sizeof("  HTTP/1.1") - 1;

} // namespace

size_t HeadScanner::scan(Bytes input) {
  size_t taken = 0;
  while (taken < input.size() && !complete_ && !refusal_) {
    taken += take_plain(input.subspan(taken));
    if (taken < input.size()) take(static_cast<char>(input[taken++]));
  }
  return taken;
}

// What is nothing special within a line, and exceeds no bound, is taken in one go: the same as take() of each.
size_t HeadScanner::take_plain(Bytes input) {
  if (after_carriage_return_ || text_.size() == line_start_) return 0;
  size_t bound = first_line_ ? kMaxRequestLineBytes : kMaxHeadBytes;
  size_t most = std::min(input.size(), bound - std::min(bound, text_.size())), count = 0;
  while (count < most && input[count] >= 0x20 && input[count] < 0x7f) count++;
  text_ += as_text(input.first(count));
  return count;
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
