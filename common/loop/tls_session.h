// TLS over a connected TCP socket that it does not own: OpenSSL's records, and when they go in and out. All records of
// one call are made in a buffer of the process and leave with one send(); only what the kernel did not take is kept,
// encrypted, until it does. So whoever writes need not hold nor repeat anything, and its bytes may change after the
// call. Used through StreamSocket, whose header tells the rules.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/loop/tls.h"

#include <sys/uio.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice::loop {

class TlsSession {
public:
  static constexpr size_t kMaxWriteBytes = 64 * 1024; // of one call's plain bytes

  static std::unique_ptr<TlsSession> accept(int fd, const TlsServerContext &context);
  static Result<std::unique_ptr<TlsSession>> connect(int fd, const TlsClientContext &context, const std::string &host);
  ~TlsSession();

  Result<std::optional<size_t>> read(MutableBytes into);
  Result<std::optional<size_t>> write(Bytes bytes);
  Result<std::optional<size_t>> write(std::span<const iovec> parts);
  Result<bool> flush();
  void shutdown();

  bool handshaking() const { return !established_; }
  bool wants_write() const { return !kept_.empty(); }
  bool has_unread() const { return unread_ && !stuck_; }
  std::string_view protocol() const;
  bool resumed() const;

private:
  struct FreeSsl {
    void operator()(SSL *ssl) const;
  };
  struct Callbacks; // OpenSSL's view of the socket

  TlsSession(int fd, SSL_CTX *context, std::string fingerprint);
  TlsSession(const TlsSession &) = delete;
  TlsSession &operator=(const TlsSession &) = delete;

  Result<void> expect(const std::string &host);
  Result<bool> establish();
  Result<void> check_peer();
  Result<void> deliver();
  Error failure(int result, const char *doing);

  int fd_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  std::string fingerprint_; // expected of the peer's certificate
  ByteVector kept_;         // records that the kernel did not take
  bool established_ = false;
  bool unread_ = false; // OpenSSL may have bytes for the next read()
  bool stuck_ = false;  // it can't go on before what is kept has left
  bool dry_ = false;    // nothing is in the socket either
  bool failed_ = false;
  bool ended_ = false;    // the peer's bytes have
  int receive_error_ = 0; // errno of the last failed receive
};

} // namespace sluice::loop
