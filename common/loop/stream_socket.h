// A connected TCP socket of a loop that polls its descriptor, whose owner closes it: plain, or either end of TLS. Never
// blocks. The handshake takes place in read() and write(). With TLS the owner
// - watches for writability as long as wants_write(), and calls flush() then;
// - calls read() again without waiting for readability as long as has_unread();
// - does not watch for writability for a write() that moved nothing while handshaking(): reading goes on first.
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

class TlsSession;

class StreamSocket {
public:
  static constexpr size_t kLargestTlsWrite = 64 * 1024;

  explicit StreamSocket(int fd); // plain
  static StreamSocket accept_tls(int fd, const TlsServerContext &context);
  // `host`: name or address that the certificate must be for, unless its fingerprint is expected.
  static Result<StreamSocket> connect_tls(int fd, const TlsClientContext &context, const std::string &host);
  StreamSocket(StreamSocket &&) noexcept;
  StreamSocket &operator=(StreamSocket &&) noexcept;
  ~StreamSocket();

  // Bytes moved; empty: none now, poll for it. 0 bytes read: the peer's end. Errors: "read: reason", "write: reason",
  // "TLS: reason". With TLS what was written counts as moved once it is encrypted, and is kept if need be; as long as
  // some is kept, nothing more is taken. At most largest_write() are taken at once.
  Result<std::optional<size_t>> read(MutableBytes into);
  Result<std::optional<size_t>> write(Bytes bytes);
  Result<std::optional<size_t>> write(std::span<const iovec> parts);
  // Sends what is kept; true: some of it left.
  Result<bool> flush();
  // Tells a TLS peer that nothing more follows; there may be something to flush() then. Its bytes can still be read.
  void shutdown();

  int fd() const { return fd_; }
  size_t largest_write() const { return tls_ != nullptr ? kLargestTlsWrite : SIZE_MAX; }
  bool is_tls() const { return tls_ != nullptr; }
  bool handshaking() const;
  bool wants_write() const; // something is kept
  bool has_unread() const;
  std::string_view protocol() const; // that the handshake agreed upon (ALPN); empty: none
  bool resumed() const;              // the handshake was shortened by a ticket

private:
  StreamSocket(int fd, std::unique_ptr<TlsSession> tls);

  int fd_;
  std::unique_ptr<TlsSession> tls_;
};

} // namespace sluice::loop
