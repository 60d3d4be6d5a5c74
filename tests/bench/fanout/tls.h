// OpenSSL over blocking sockets, as plain as can be: the readers' end, and that of the loop that the server is compared
// with. Any certificate will do.
#pragma once

#include "tests/bench/fanout/socket.h"

#include <openssl/types.h>

#include <memory>
#include <string>

namespace sluice::fanout {

struct FreeTls {
  void operator()(SSL *tls) const;
};
using Tls = std::unique_ptr<SSL, FreeTls>; // its socket must outlive it

// The client's end on a connected socket, after the handshake.
Result<Tls> tls_connect(const Fd &socket);

// Both ends of a connection within this process, after the handshake. `identity`: the PEM files IDENTITY.crt and
// IDENTITY.key.
struct TlsPair {
  Tls server, client;
};
Result<TlsPair> tls_pair(const Fd &server, const Fd &client, const std::string &identity);

Result<void> set_blocking(const Fd &socket, bool blocking);
std::string cipher_of(const SSL &tls);
std::string tls_error(const char *what);

} // namespace sluice::fanout
