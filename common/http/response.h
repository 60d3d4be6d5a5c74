// An answer and its form on the wire (RFC 9112 section 4). Pure.
#pragma once

#include "common/base/time.h"
#include "common/http/body.h"
#include "common/http/headers.h"
#include "common/http/output_queue.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

struct Response {
  uint16_t status = 200; // 200 to 599
  // Content-Length, Transfer-Encoding and Connection are left out: serialise() writes them as they are.
  Headers headers = {};
  Body body = {};     // that of a GET also in answer to HEAD: it gives Content-Length and is not sent
  bool close = false; // the connection, after this answer
};

// What the request and the connection say about the answer.
struct Framing {
  bool keep_alive = true;
  uint8_t minor_version = 1;            // of the request: HTTP/1.minor_version
  bool head_only = false;               // HEAD
  std::string_view server = "";         // Server; empty: none
  std::optional<Nanoseconds> date = {}; // Date, since 1970; absent: none
};

// A response that can't be sent (a status out of range, a header that is_token() or is_header_value() denies, since it
// would become something else on the wire) is replaced by an empty 500.
bool can_be_sent(const Response &response);
// Headers that say how a message is framed: whoever writes it does so.
bool is_framing(std::string_view name);

// Appends it to the output, whose parts are `owner`'s. False: its body was torn when it was read.
[[nodiscard]] bool serialise(Response response, const Framing &framing, OutputQueue &output, uint64_t owner = 0);

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// "Not Found"; empty for a status that has no name here.
std::string_view reason_phrase(uint16_t status);
// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
std::string format_date(Nanoseconds since_1970);
// The same, made once a second. Valid until the next call in this thread.
std::string_view cached_date(Nanoseconds since_1970);

} // namespace sluice::http
