#include "ipc/control/channel.h"

#include "common/base/check.h"
#include "common/base/secret.h"
#include "ipc/control/codec.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace sluice::control {
namespace {

enum class Sent { Yes, Later };

Result<Sent> send_now(int socket, Bytes bytes, std::span<const int> descriptors) {
  iovec part{const_cast<uint8_t *>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char ancillary[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  if (!descriptors.empty()) {
    header.msg_control = ancillary;
    header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    cmsghdr *control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size() * sizeof(int));
  }
  ssize_t count;
  do count = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  if (count >= 0) return Sent::Yes;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return Sent::Later;
  return os_error("control channel");
}

} // namespace

Result<std::pair<Fd, Fd>> Channel::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return os_error("socketpair");
  std::pair<Fd, Fd> pair{Fd(ends[0]), Fd(ends[1])};
  int size = 4 * static_cast<int>(kMaxMessageBytes);
  for (int end : ends)
    if (setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
      setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return pair;
}

Result<void> Channel::send(const Message &message, std::span<const int> descriptors) {
  CHECK(descriptors.size() <= kMaxDescriptors);
  ByteVector bytes = encode(message);
  CHECK(bytes.size() <= kMaxMessageBytes);
  if (queue_.empty()) {
    Sent sent = TRY(send_now(socket_.get(), bytes, descriptors));
    if (sent == Sent::Yes) {
      if (may_hold_secrets(message)) wipe(bytes);
      return {};
    }
  }
  if (queued_bytes_ + bytes.size() > kMaxQueuedBytes) return Error{"control channel: the peer does not read"};
  Queued queued;
  for (int descriptor : descriptors) {
    Fd copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return os_error("control channel");
    queued.descriptors.push_back(std::move(copy));
  }
  queued_bytes_ += bytes.size();
  queued.bytes = std::move(bytes);
  queue_.push_back(std::move(queued));
  return {};
}

Result<void> Channel::flush() {
  while (!queue_.empty()) {
    Queued &front = queue_.front();
    std::vector<int> descriptors;
    for (const Fd &fd : front.descriptors) descriptors.push_back(fd.get());
    Sent sent = TRY(send_now(socket_.get(), front.bytes, descriptors));
    if (sent == Sent::Later) return {};
    queued_bytes_ -= front.bytes.size();
    wipe(front.bytes);
    queue_.pop_front();
    flushed_++;
  }
  return {};
}

Result<std::optional<Received>> Channel::receive() {
  iovec part{buffer_.data(), buffer_.size()};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = ancillary;
  header.msg_controllen = sizeof ancillary;
  ssize_t count;
  // ECONNRESET: the peer is gone and had not read all; what it sent before can still be received.
  do count = ::recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (count < 0 && (errno == EINTR || errno == ECONNRESET));
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<Received>();
  if (count < 0) return os_error("control channel");

  Received received;
  for (cmsghdr *c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    size_t descriptors = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < descriptors; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      received.descriptors.emplace_back(fd);
    }
  }
  if (count == 0) {
    ended_ = true;
    return Error{"control channel: closed by the peer"};
  }
  if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return Error{"control channel: truncated message"};
  received.message = TRY(decode_message(Bytes(buffer_.data(), static_cast<size_t>(count))));
  if (may_hold_secrets(received.message)) wipe(MutableBytes(buffer_).first(static_cast<size_t>(count)));
  return std::optional<Received>(std::move(received));
}

} // namespace sluice::control
