// Loopback sockets of the benchmark. Everything here binds and connects to 127.0.0.1 only, or to multicast groups on
// the loopback interface.
#pragma once

#include "common/base/result.h"

#include <cstdint>
#include <string>
#include <utility>

namespace sluice::fanout {

// Owns a descriptor.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd &operator=(Fd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const { return fd_; }

private:
  int fd_ = -1;
};

// A pair of consecutive ports, even and odd, for RTP and RTCP.
struct UdpPair {
  Fd rtp;
  Fd rtcp;
  uint16_t rtp_port = 0;
};

Result<Fd> tcp_connect(uint16_t port);
Result<Fd> tcp_listen();
Result<Fd> udp_connect(uint16_t port);
Result<UdpPair> udp_pair();
// A receiver and a sender of a group.
Result<Fd> multicast_join(const std::string &group, uint16_t port);
Result<Fd> multicast_connect(const std::string &group, uint16_t port);
// From here on this process and its children have a network of their own: a loopback interface and nothing else, so
// that what is sent by multicast stays there. Needs root.
Result<void> enter_own_network();
Result<uint16_t> free_tcp_port();
Result<uint16_t> local_port(const Fd &socket);

// As many descriptors as the system lets this process have.
void raise_descriptor_limit();

} // namespace sluice::fanout
