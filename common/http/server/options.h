// The bounds of an HTTP server, and how long it waits for what.
#pragma once

#include "common/http/protocol.h"

namespace sluice::http {

struct ServerOptions : ProtocolOptions {
  size_t max_connections = 256;             // further ones get a 503
  Nanoseconds linger_timeout = 1 * kSecond; // after the last answer, for the client to close first
};

} // namespace sluice::http
