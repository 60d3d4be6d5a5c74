// The bounds of an HTTP server, and how long it waits for what.
#pragma once

#include "common/base/time.h"
#include "common/http/request_parser.h"

namespace sluice::http {

struct ServerOptions {
  size_t max_connections = 256; // further ones get a 503
  size_t max_body_bytes = kDefaultMaxBodyBytes;
  Nanoseconds idle_timeout = 60 * kSecond;   // of a connection without a request
  Nanoseconds read_timeout = 10 * kSecond;   // from a request's first byte to its last: 408
  Nanoseconds answer_timeout = 60 * kSecond; // of the one who answers: 504
  Nanoseconds write_timeout = 10 * kSecond;  // of a client that takes none of its answer
  Nanoseconds linger_timeout = 1 * kSecond;  // after the last answer, for the client to close first
};

} // namespace sluice::http
