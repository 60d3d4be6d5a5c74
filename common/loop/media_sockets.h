// UDP sockets of one that receives media: a pair of ports for RTP and RTCP, connected to their sender or open to any,
// or members of multicast groups. Non-blocking, close-on-exec; no other process shares their ports.
#pragma once

#include "common/loop/socket.h"

namespace sluice::loop {

struct UdpPair {
  Fd rtp, rtcp;
  uint16_t rtp_port = 0; // even, at least 10000; RTCP has the next one
};

// On all addresses of the family (AF_INET6: both families), with ports that `random` picks first.
Result<UdpPair> open_udp_pair(int family, int receive_buffer_bytes, uint64_t random);

// From now on it receives from `peer` only; what came before is dropped.
Result<void> connect_udp_socket(int fd, const SocketAddress &peer);

// A socket for one port of a group, received on the interface that has the address `local`. Others of the machine may
// listen to the same.
Result<Fd> join_multicast(const SocketAddress &group, const SocketAddress &local, int receive_buffer_bytes);

} // namespace sluice::loop
