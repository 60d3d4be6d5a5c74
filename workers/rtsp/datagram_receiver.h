// Receives datagrams in batches. One for all sockets of a worker; what receive() returns is valid until the next call.
#pragma once

#include "common/base/bytes.h"

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
    bool more = false; // the socket may hold further ones
  };
  Batch receive(int fd);

private:
  std::array<std::array<uint8_t, kMaxBytes>, kAtOnce> buffers_;
  std::array<iovec, kAtOnce> parts_{};
  std::array<mmsghdr, kAtOnce> messages_{};
  std::array<Bytes, kAtOnce> datagrams_;
};

} // namespace sluice::rtsp
