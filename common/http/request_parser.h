// HTTP/1.1 and 1.0 requests out of a stream of bytes (RFC 9112), one connection each. The head is collected and
// checked by HeadScanner, then understood by llhttp in strict mode, which also takes the body apart. Pure; a parser
// holds at most kMaxHeadBytes and the body's bound. It stays where it is: llhttp points at it.
//
// Refused, since two readers might find different requests in it: Content-Length twice or along with
// Transfer-Encoding, any transfer coding but a single "chunked", any in HTTP/1.0, a missing or second Host in HTTP/1.1,
// and what HeadScanner refuses. Upgrades are ignored; trailers are read and dropped.
#pragma once

#include "common/base/bytes.h"
#include "common/http/head_scanner.h"
#include "common/http/headers.h"
#include "common/http/refusal.h"

#include <llhttp.h>

#include <optional>
#include <string>
#include <variant>

namespace sluice::http {

constexpr size_t kMaxHeaders = 100;
constexpr size_t kDefaultMaxBodyBytes = 1024 * 1024;

struct Request {
  std::string method; // of HTTP/1 one that llhttp knows; never CONNECT
  std::string target; // as it was sent
  std::string path;   // decoded, see Target
  std::string query;  // as it was sent; parse_query() takes it apart
  uint8_t major_version = 1, minor_version = 1;
  Headers headers;
  std::string body;       // without the framing of chunks
  bool keep_alive = true; // the client wants to go on after the answer
};

// The client waits for kContinue before it sends the body of a request whose head is fine. No need to answer when some
// of the body is there.
struct ExpectsContinue {};

class RequestParser {
public:
  explicit RequestParser(size_t max_body_bytes = kDefaultMaxBodyBytes);
  RequestParser(const RequestParser &) = delete;
  RequestParser &operator=(const RequestParser &) = delete;

  struct Progress {
    size_t consumed = 0;
    // Nothing: all was consumed, more is needed. After a Refusal there is nothing but that.
    std::variant<std::monostate, ExpectsContinue, Request, Refusal> outcome;
  };
  // Takes input up to what it reports; the rest is for the next call.
  Progress feed(Bytes input);

  // Nothing of the next request was seen, line ends apart.
  bool between_requests() const { return state_ == State::Head && !head_.started(); }

private:
  enum class State : uint8_t { Head, Body, Refused };
  struct Callbacks;

  Progress begin_message(size_t consumed);
  Progress feed_body(Bytes input, size_t consumed);
  Progress finish_message(size_t consumed);
  Progress refuse(size_t consumed, Refusal refusal);
  bool parse_request_line();
  bool check_head();
  bool check_framing();
  bool deny(uint16_t status, const char *reason); // false

  const size_t max_body_bytes_;
  State state_ = State::Head;
  HeadScanner head_;
  llhttp_t llhttp_{};
  Request request_;
  std::string header_name_, header_value_;
  size_t raw_body_left_ = 0; // chunked: bytes that may still come, framing included
  bool head_done_ = false;
  bool complete_ = false;
  bool expects_continue_ = false;
  std::optional<Refusal> refusal_; // set before State::Refused: a callback sets it, then stops llhttp
};

} // namespace sluice::http
