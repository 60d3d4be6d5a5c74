// Sockets as Sluice uses them: addresses as text, listeners and UDP ports that several processes share.
// All sockets are non-blocking and close-on-exec.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::loop {

// An IPv4 or IPv6 address and port. IPv4-mapped IPv6 addresses are shown, and compared, as IPv4.
class SocketAddress {
public:
  SocketAddress() = default;
  explicit SocketAddress(const sockaddr_storage &storage) : storage_(storage) {}

  // "host:port", "[v6]:port" or ":port" (all addresses, both families where the machine has IPv6); host is a
  // literal or "localhost".
  static Result<SocketAddress> parse(std::string_view text);
  static Result<SocketAddress> peer_of(int fd);
  static Result<SocketAddress> local_of(int fd);

  std::string host() const; // without brackets or zone
  uint16_t port() const;
  std::string text() const; // "1.2.3.4:5", "[::1]:5"
  bool same_host(const SocketAddress &other) const { return host() == other.host(); }
  bool is_unspecified() const; // "0.0.0.0" or "::"
  SocketAddress with_port(uint16_t port) const;
  // The same IPv4 address in the other family's form; unchanged if it has none.
  SocketAddress in_family(int family) const;

  int family() const { return storage_.ss_family; }
  const sockaddr *raw() const { return reinterpret_cast<const sockaddr *>(&storage_); }
  socklen_t length() const { return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in); }

private:
  sockaddr_storage storage_{};
};

// SO_REUSEPORT, so that each slot has its own queue. Errors: "listen tcp ADDRESS: reason".
Result<Fd> listen_tcp(const SocketAddress &address);

// The first socket of a shared UDP port. Steers whatever no connected socket takes to itself, so that later
// sockets of the port get nothing between bind and connect.
Result<Fd> bind_udp_base(const SocketAddress &address);

// A socket of the shared port for one peer. `base` is the address that bind_udp_base got; where that is all addresses,
// the peer sends to, and is sent to from, that of `local`.
Result<Fd> connect_udp(const SocketAddress &base, const SocketAddress &local, const SocketAddress &peer,
                       int receive_buffer_bytes);

// An accepted TCP connection: TCP_NODELAY, keepalive; urgent bytes stay in line (they would shift the byte counts).
void prepare_stream_socket(int fd);
// Written to a TCP socket, but not known to have reached the peer.
size_t unacknowledged_bytes(int fd);

// Discards what was received, so that the close is not a reset that overtakes our last bytes; then sends FIN.
// The caller closes the descriptor.
void close_in_order(int fd);

uint64_t socket_cookie(int fd); // SO_COOKIE; 0 if it is no socket

} // namespace sluice::loop
