// What both ends of TLS need beforehand: a server's certificate, key and ticket keys, or whom a client trusts. Made
// once, used by many sockets (stream_socket.h), which keep what they need of it alive. TLS 1.2 and newer.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <openssl/types.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sluice::loop {

constexpr size_t kTicketKeyBytes = 80; // name 16, AES-256 key 32, HMAC-SHA256 key 32

// From then on what OpenSSL frees while it reads a private key is wiped. To be called before anything else of OpenSSL.
void wipe_what_reading_keys_leaves();

struct FreeTlsContext {
  void operator()(SSL_CTX *context) const;
};
using TlsContextPointer = std::unique_ptr<SSL_CTX, FreeTlsContext>;

class TlsServerContext {
public:
  // PEM texts: the server's certificate and those it was issued with; its private key. Session tickets are made with
  // the first of `ticket_keys` and accepted with any; without any there are none. `protocols`: names of what is spoken
  // inside (ALPN, RFC 7301), the best first; a client that wants none of them gets none. Errors say what is wrong.
  static Result<TlsServerContext> create(std::string_view chain, std::string_view key,
                                         std::span<const std::string> ticket_keys,
                                         std::span<const std::string> protocols = {});
  SSL_CTX *raw() const { return context_.get(); }

private:
  explicit TlsServerContext(TlsContextPointer context) : context_(std::move(context)) {}
  TlsContextPointer context_;
};

class TlsClientContext {
public:
  // Servers must show a certificate for their host name or address, issued by one of these (PEM texts in a row).
  static Result<TlsClientContext> trusting(std::string_view certificates);
  // Servers must show just this certificate: SHA-256 of its DER in hex, of either case, with or without colons.
  static Result<TlsClientContext> with_fingerprint(std::string_view fingerprint);

  // The same context once more.
  TlsClientContext share() const;

  SSL_CTX *raw() const { return context_.get(); }
  const std::string &fingerprint() const { return fingerprint_; } // lower case, no colons; empty: certificates count

private:
  TlsClientContext(TlsContextPointer context, std::string fingerprint)
      : context_(std::move(context)), fingerprint_(std::move(fingerprint)) {}
  TlsContextPointer context_;
  std::string fingerprint_;
};

// What OpenSSL complains of, short; forgotten then. `otherwise` if it said nothing.
std::string take_tls_error(const char *otherwise);

} // namespace sluice::loop
