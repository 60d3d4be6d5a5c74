// What requests and responses have in common (RFC 2326 section 4): a start line, header lines, an empty line,
// and a body of Content-Length bytes. Lines end with CRLF; a lone LF is taken too. Pure; owns copies.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/http/headers.h"

#include <optional>
#include <string>

namespace sluice::rtsp {

constexpr size_t kMaxMethodBytes = 64;
constexpr size_t kMaxUrlBytes = 2048;
constexpr size_t kMaxHeaders = 255;
constexpr size_t kMaxHeaderNameBytes = 512;
constexpr size_t kMaxHeaderValueBytes = 2048;
constexpr size_t kMaxBodyBytes = 128 * 1024;
constexpr size_t kMaxLeadingLineEndBytes = 64; // CR and LF between messages
constexpr size_t kMaxHeadBytes = 28 * 1024;    // all of it up to the body, leading line ends included
constexpr size_t kMaxMessageBytes = kMaxHeadBytes + kMaxBodyBytes;

using http::Header;
using http::Headers;

// Where an earlier look at the same, shorter input stopped. A caller that keeps it between calls (zeroed when
// the input begins with another message) makes repeated parsing of growing input linear. Plain; any value is safe.
struct ParseHint {
  uint32_t scanned = 0;    // no end of the head before this offset
  uint32_t line_start = 0; // of the line that `scanned` is in
  uint32_t total = 0;      // length of the whole message once its head was seen, else 0
};

struct Head {
  std::string start_line;
  Headers headers;
  Bytes body;          // within the input
  size_t consumed = 0; // from the beginning of the input to the end of the body
};

// Empty while incomplete. Errors: a limit exceeded, or what is not RTSP.
Result<std::optional<Head>> parse_head(Bytes input, ParseHint &hint);

} // namespace sluice::rtsp
