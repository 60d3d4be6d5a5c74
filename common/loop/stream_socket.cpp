#include "common/loop/stream_socket.h"

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

Result<std::optional<size_t>> StreamSocket::read(MutableBytes into) {
  return moved(::recv(fd_, into.data(), into.size(), MSG_DONTWAIT), "read");
}

Result<std::optional<size_t>> StreamSocket::write(Bytes bytes) {
  return moved(::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL), "write");
}

Result<std::optional<size_t>> StreamSocket::write(std::span<const iovec> parts) {
  msghdr message{};
  message.msg_iov = const_cast<iovec *>(parts.data());
  message.msg_iovlen = parts.size();
  return moved(::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL), "write");
}

} // namespace sluice::loop
