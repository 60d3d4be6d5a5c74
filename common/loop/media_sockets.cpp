#include "common/loop/media_sockets.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

namespace sluice::loop {
namespace {

constexpr uint16_t kFirstPort = 10'000;
constexpr int kMaxTries = 128; // of pairs of ports

Result<Fd> open_socket(int family, int receive_buffer_bytes) {
  Fd fd(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return os_error("socket");
  int off = 0;
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  return fd;
}

// False: the port is taken.
Result<bool> bind_to(int fd, int family, uint16_t port) {
  sockaddr_storage storage{};
  storage.ss_family = static_cast<sa_family_t>(family);
  SocketAddress address = SocketAddress(storage).with_port(port);
  if (::bind(fd, address.raw(), address.length()) == 0) return true;
  if (errno == EADDRINUSE) return false;
  return os_error("bind udp " + address.text());
}

// 0: not found, the kernel chooses.
unsigned interface_of(const SocketAddress &local) {
  ifaddrs *all = nullptr;
  if (::getifaddrs(&all) != 0) return 0;
  unsigned index = 0;
  for (const ifaddrs *entry = all; entry != nullptr && index == 0; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (SocketAddress(storage).same_host(local)) index = ::if_nametoindex(entry->ifa_name);
  }
  ::freeifaddrs(all);
  return index;
}

Result<void> join_group(int fd, const SocketAddress &group, unsigned interface) {
  int result = 0;
  if (group.family() == AF_INET6) {
    ipv6_mreq request{};
    request.ipv6mr_multiaddr = reinterpret_cast<const sockaddr_in6 *>(group.raw())->sin6_addr;
    request.ipv6mr_interface = interface;
    result = ::setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request);
  } else {
    ip_mreqn request{};
    request.imr_multiaddr = reinterpret_cast<const sockaddr_in *>(group.raw())->sin_addr;
    request.imr_ifindex = static_cast<int>(interface);
    result = ::setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
    int off = 0; // only this socket's membership counts, not that of others of the machine on other interfaces
    ::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
  }
  return result == 0 ? Result<void>() : os_error("join multicast group " + group.host());
}

} // namespace

Result<UdpPair> open_udp_pair(int family, int receive_buffer_bytes, uint64_t random) {
  constexpr uint64_t kPairs = (65'536 - kFirstPort) / 2;
  for (uint64_t i = 0; i < kMaxTries; i++) {
    auto port = static_cast<uint16_t>(kFirstPort + 2 * ((random + i) % kPairs));
    Fd rtp = TRY(open_socket(family, receive_buffer_bytes));
    Fd rtcp = TRY(open_socket(family, receive_buffer_bytes / 8));
    if (!TRY(bind_to(rtp.get(), family, port))) continue;
    if (!TRY(bind_to(rtcp.get(), family, static_cast<uint16_t>(port + 1)))) continue;
    return UdpPair{std::move(rtp), std::move(rtcp), port};
  }
  return Error{"no pair of UDP ports is free"};
}

Result<void> connect_udp_socket(int fd, const SocketAddress &peer) {
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (::getsockname(fd, reinterpret_cast<sockaddr *>(&own), &length) != 0) return os_error("socket address");
  SocketAddress target = peer.in_family(own.ss_family);
  if (target.family() != own.ss_family) return Error{"media from " + peer.text() + " can't be received here"};
  if (::connect(fd, target.raw(), target.length()) != 0) return os_error("connect udp " + peer.text());
  constexpr int kMostStrangers = 4096;
  uint8_t scrap;
  for (int i = 0; i < kMostStrangers && ::recv(fd, &scrap, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++) {
  }
  return {};
}

Result<Fd> join_multicast(const SocketAddress &group, const SocketAddress &local, int receive_buffer_bytes) {
  const auto &v4 = *reinterpret_cast<const sockaddr_in *>(group.raw());
  const auto &v6 = *reinterpret_cast<const sockaddr_in6 *>(group.raw());
  bool multicast =
      group.family() == AF_INET6 ? IN6_IS_ADDR_MULTICAST(&v6.sin6_addr) != 0 : IN_MULTICAST(ntohl(v4.sin_addr.s_addr));
  if (!multicast) return Error{group.host() + " is no multicast group"};
  Fd fd = TRY(open_socket(group.family(), receive_buffer_bytes));
  int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return os_error("SO_REUSEADDR");
  if (::bind(fd.get(), group.raw(), group.length()) != 0) return os_error("bind udp " + group.text());
  TRY(join_group(fd.get(), group, interface_of(local)));
  return fd;
}

} // namespace sluice::loop
