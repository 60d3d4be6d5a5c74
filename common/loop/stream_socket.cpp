#include "common/loop/stream_socket.h"

#include "common/loop/tls_session.h"

#include <sys/socket.h>

#include <cerrno>

namespace sluice::loop {
namespace {

Result<std::optional<size_t>> moved(ssize_t count, const char *what) {
  if (count >= 0) return static_cast<size_t>(count);
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return os_error(what);
}

} // namespace

StreamSocket::StreamSocket(int fd) : fd_(fd) {}
StreamSocket::StreamSocket(int fd, std::unique_ptr<TlsSession> tls) : fd_(fd), tls_(std::move(tls)) {}
StreamSocket::StreamSocket(StreamSocket &&) noexcept = default;
StreamSocket &StreamSocket::operator=(StreamSocket &&) noexcept = default;
StreamSocket::~StreamSocket() = default;

StreamSocket StreamSocket::accept_tls(int fd, const TlsServerContext &context) {
  return StreamSocket(fd, TlsSession::accept(fd, context));
}

Result<StreamSocket> StreamSocket::connect_tls(int fd, const TlsClientContext &context, const std::string &host) {
  return StreamSocket(fd, TRY(TlsSession::connect(fd, context, host)));
}

Result<std::optional<size_t>> StreamSocket::read(MutableBytes into) {
  if (tls_ != nullptr) return tls_->read(into);
  return moved(::recv(fd_, into.data(), into.size(), MSG_DONTWAIT), "read");
}

Result<std::optional<size_t>> StreamSocket::write(Bytes bytes) {
  if (tls_ != nullptr) return tls_->write(bytes);
  return moved(::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL), "write");
}

Result<std::optional<size_t>> StreamSocket::write(std::span<const iovec> parts) {
  if (parts.size() == 1) return write(Bytes(static_cast<const uint8_t *>(parts[0].iov_base), parts[0].iov_len));
  if (tls_ != nullptr) return tls_->write(parts);
  msghdr message{};
  message.msg_iov = const_cast<iovec *>(parts.data());
  message.msg_iovlen = parts.size();
  return moved(::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL), "write");
}

Result<bool> StreamSocket::flush() {
  if (tls_ != nullptr) return tls_->flush();
  return false;
}

void StreamSocket::shutdown() {
  if (tls_ != nullptr) tls_->shutdown();
}

bool StreamSocket::handshaking() const {
  return tls_ != nullptr && tls_->handshaking();
}

bool StreamSocket::wants_write() const {
  return tls_ != nullptr && tls_->wants_write();
}

bool StreamSocket::has_unread() const {
  return tls_ != nullptr && tls_->has_unread();
}

std::string_view StreamSocket::protocol() const {
  return tls_ != nullptr ? tls_->protocol() : std::string_view();
}

bool StreamSocket::resumed() const {
  return tls_ != nullptr && tls_->resumed();
}

} // namespace sluice::loop
