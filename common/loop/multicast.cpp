#include "common/loop/multicast.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <cstring>
#include <memory>

namespace sluice::loop {
namespace {

constexpr int kSendBufferBytes = 4 << 20; // a key frame and more, for all readers of the interface

const in_addr &v4_of(const SocketAddress &address) {
  return reinterpret_cast<const sockaddr_in *>(address.raw())->sin_addr;
}

Result<Fd> open_shared_socket() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return os_error("socket");
  int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return os_error("SO_REUSEADDR");
  return fd;
}

Result<void> change_membership(int fd, int option, const SocketAddress &group, uint32_t interface) {
  ip_mreqn request{};
  request.imr_multiaddr = v4_of(group);
  request.imr_ifindex = static_cast<int>(interface);
  if (::setsockopt(fd, IPPROTO_IP, option, &request, sizeof request) != 0)
    return os_error("group " + group.host() + " on interface " + std::to_string(interface));
  return {};
}

bool is_loopback(const SocketAddress &address) {
  SocketAddress v4 = address.in_family(AF_INET);
  if (v4.family() == AF_INET) return ntohl(v4_of(v4).s_addr) >> 24 == 127;
  const auto &v6 = *reinterpret_cast<const sockaddr_in6 *>(address.raw());
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

bool has_address(const ifaddrs &entry, const SocketAddress &address) {
  if (entry.ifa_addr == nullptr || entry.ifa_addr->sa_family != address.family()) return false;
  if (address.family() == AF_INET)
    return reinterpret_cast<const sockaddr_in *>(entry.ifa_addr)->sin_addr.s_addr == v4_of(address).s_addr;
  const auto &mine = *reinterpret_cast<const sockaddr_in6 *>(entry.ifa_addr);
  const auto &wanted = *reinterpret_cast<const sockaddr_in6 *>(address.raw());
  bool same_scope = wanted.sin6_scope_id == 0 || wanted.sin6_scope_id == mine.sin6_scope_id;
  return same_scope && std::memcmp(&mine.sin6_addr, &wanted.sin6_addr, sizeof wanted.sin6_addr) == 0;
}

// The first interface that `fits` an entry of the kernel's list; 0: none.
template <class Fits> uint32_t find_interface(Fits &&fits) {
  ifaddrs *list = nullptr;
  if (::getifaddrs(&list) != 0) return 0;
  std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  for (const ifaddrs *entry = list; entry != nullptr; entry = entry->ifa_next)
    if (fits(*entry)) return ::if_nametoindex(entry->ifa_name);
  return 0;
}

// Where the machine itself sends to the group, and joins it, if nothing else is asked for.
uint32_t default_interface(const SocketAddress &group) {
  Fd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (probe && ::connect(probe.get(), group.raw(), group.length()) == 0) {
    auto local = SocketAddress::local_of(probe.get());
    if (local)
      if (uint32_t found = find_interface([&](const ifaddrs &entry) { return has_address(entry, *local); }))
        return found;
  }
  return find_interface([](const ifaddrs &entry) { return (entry.ifa_flags & IFF_LOOPBACK) != 0; });
}

} // namespace

Result<Fd> connect_multicast(const SocketAddress &group, uint32_t interface, uint8_t ttl) {
  auto fail = [&](const char *what) {
    return os_error(std::string(what) + " " + group.text() + " on interface " + std::to_string(interface));
  };
  Fd fd = TRY(open_shared_socket());
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(interface);
  if (::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) != 0)
    return fail("IP_MULTICAST_IF");
  int hops = ttl, on = 1;
  if (::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof hops) != 0) return fail("IP_MULTICAST_TTL");
  if (::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on) != 0) return fail("IP_MULTICAST_LOOP");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kSendBufferBytes, sizeof kSendBufferBytes) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(group.port());
  // Refused if another program has the port for itself: then the kernel chooses one.
  (void)::bind(fd.get(), reinterpret_cast<const sockaddr *>(&own), sizeof own);
  if (::connect(fd.get(), group.raw(), group.length()) != 0) return fail("multicast to");
  return fd;
}

Result<Fd> bind_multicast(const SocketAddress &group) {
  Fd fd = TRY(open_shared_socket());
  int off = 0; // what others of this machine joined is not ours
  ::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
  if (::bind(fd.get(), group.raw(), group.length()) != 0) return os_error("bind udp " + group.text());
  return fd;
}

Result<void> join_multicast(int fd, const SocketAddress &group, uint32_t interface) {
  return change_membership(fd, IP_ADD_MEMBERSHIP, group, interface);
}

void leave_multicast(int fd, const SocketAddress &group, uint32_t interface) {
  (void)change_membership(fd, IP_DROP_MEMBERSHIP, group, interface); // with the interface the membership is gone
}

uint32_t multicast_interface(const SocketAddress &local, const SocketAddress &group) {
  SocketAddress address = local.in_family(AF_INET); // of a listener for both families
  if (!is_loopback(address))
    if (uint32_t found = find_interface([&](const ifaddrs &entry) { return has_address(entry, address); }))
      return found;
  return default_interface(group);
}

} // namespace sluice::loop
