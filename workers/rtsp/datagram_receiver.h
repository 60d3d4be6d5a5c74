// Receives datagrams in batches. One for all sockets of a worker; what receive functions return is valid until the next
// call.
#pragma once

#include "common/base/bytes.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <span>

namespace sluice::rtsp {

class DatagramReceiver {
public:
  static constexpr size_t kAtOnce = 32;
  static constexpr size_t kMaxBytes = 2048; // larger datagrams are left out

  DatagramReceiver();
  DatagramReceiver(const DatagramReceiver &) = delete;
  DatagramReceiver &operator=(const DatagramReceiver &) = delete;

  struct Batch {
    std::span<const Bytes> datagrams;
    std::span<const sockaddr_in6> senders; // of each, if asked for; of the socket's family
    bool more = false;                     // the socket may hold further ones
  };
  Batch receive(int fd) { return receive(fd, 0); }
  Batch receive_with_senders(int fd) { return receive(fd, sizeof(sockaddr_in6)); }

private:
  Batch receive(int fd, socklen_t name_bytes);

  std::array<std::array<uint8_t, kMaxBytes>, kAtOnce> buffers_;
  std::array<iovec, kAtOnce> parts_{};
  std::array<mmsghdr, kAtOnce> messages_{};
  std::array<Bytes, kAtOnce> datagrams_;
  std::array<sockaddr_in6, kAtOnce> senders_{}; // an IPv4 address is smaller
};

} // namespace sluice::rtsp
