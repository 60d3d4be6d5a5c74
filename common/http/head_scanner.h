// Finds the end of a request's head, and refuses on the way what a lenient reader might understand otherwise: lines
// that do not end with CRLF, NUL and other control characters, folded lines. Looks at each byte once, in order.
//   head = 0*kMaxLeadingLines( CRLF ) request-line CRLF *( field-line CRLF ) CRLF     (RFC 9112 section 2.1)
#pragma once

#include "common/base/bytes.h"
#include "common/http/refusal.h"

#include <optional>

namespace sluice::http {

constexpr size_t kMaxHeadBytes = 16 * 1024; // with line ends, without leading empty lines
constexpr size_t kMaxTargetBytes = 8 * 1024;
constexpr size_t kMaxMethodBytes = 32;
constexpr size_t kMaxLeadingLines = 4;

class HeadScanner {
public:
  // Takes bytes up to the end of the head. Nothing more may be given once it is complete or refused.
  size_t scan(Bytes input);

  bool complete() const { return complete_; }
  bool started() const { return !text_.empty(); }
  const std::optional<Refusal> &refusal() const { return refusal_; }
  // With its line ends; the last line is empty.
  std::string_view text() const { return text_; }

private:
  size_t take_plain(Bytes input);
  void take(char c);
  void end_line();
  void refuse(uint16_t status, const char *reason) { refusal_ = Refusal{status, reason}; }

  std::string text_;
  size_t line_start_ = 0; // in text_
  size_t leading_lines_ = 0;
  bool after_carriage_return_ = false;
  bool first_line_ = true;
  bool complete_ = false;
  std::optional<Refusal> refusal_;
};

} // namespace sluice::http
