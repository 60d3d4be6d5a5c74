#include "tests/bench/fanout/socket.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace sluice::fanout {
namespace {

// Below the range from which the kernel picks ports by itself, so that it takes none of ours.
constexpr uint16_t kFirstPort = 20000;
constexpr uint16_t kLastPort = 32000;
constexpr int kUdpReceiveBuffer = 4 << 20;
constexpr int kUdpSendBuffer = 8 << 20;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

bool bind_to(const Fd &socket, uint16_t port) {
  sockaddr_in address = loopback(port);
  return bind(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0;
}

Result<Fd> connected(int type, uint16_t port) {
  Fd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return os_error("socket");
  sockaddr_in address = loopback(port);
  if (connect(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) return os_error("connect");
  return fd;
}

void set_buffer(const Fd &fd, int force_option, int option, int size) {
  if (setsockopt(fd.get(), SOL_SOCKET, force_option, &size, sizeof(size)) != 0)
    setsockopt(fd.get(), SOL_SOCKET, option, &size, sizeof(size));
}

} // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Result<Fd> tcp_connect(uint16_t port) {
  Fd fd = TRY(connected(SOCK_STREAM, port));
  int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  timeval limit{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  return fd;
}

Result<Fd> tcp_listen() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return os_error("socket");
  if (!bind_to(fd, 0)) return os_error("bind");
  if (listen(fd.get(), 1024) != 0) return os_error("listen");
  return fd;
}

Result<Fd> udp_connect(uint16_t port) {
  Fd fd = TRY(connected(SOCK_DGRAM, port));
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, kUdpSendBuffer);
  return fd;
}

Result<UdpPair> udp_pair() {
  static uint16_t next = kFirstPort;
  for (int tries = (kLastPort - kFirstPort) / 2; tries > 0; tries--) {
    uint16_t port = next;
    next = port + 2 < kLastPort ? static_cast<uint16_t>(port + 2) : kFirstPort;
    UdpPair pair{Fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
                 Fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), port};
    if (pair.rtp.get() < 0 || pair.rtcp.get() < 0) return os_error("socket");
    if (!bind_to(pair.rtp, port) || !bind_to(pair.rtcp, static_cast<uint16_t>(port + 1))) continue;
    set_buffer(pair.rtp, SO_RCVBUFFORCE, SO_RCVBUF, kUdpReceiveBuffer);
    return pair;
  }
  return Error{"no free pair of UDP ports"};
}

Result<Fd> multicast_join(const std::string &group, uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return os_error("socket");
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kUdpReceiveBuffer);
  sockaddr_in address = loopback(port);
  ip_mreqn membership{};
  if (inet_pton(AF_INET, group.c_str(), &address.sin_addr) != 1) return Error{"not a group: " + group};
  membership.imr_multiaddr = address.sin_addr;
  membership.imr_ifindex = static_cast<int>(if_nametoindex("lo"));
  if (bind(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) return os_error("bind to " + group);
  if (setsockopt(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) != 0)
    return os_error("join " + group);
  return fd;
}

Result<Fd> multicast_connect(const std::string &group, uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return os_error("socket");
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, kUdpSendBuffer);
  ip_mreqn way{};
  way.imr_ifindex = static_cast<int>(if_nametoindex("lo"));
  if (setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &way, sizeof(way)) != 0) return os_error("IP_MULTICAST_IF");
  sockaddr_in address = loopback(port);
  if (inet_pton(AF_INET, group.c_str(), &address.sin_addr) != 1) return Error{"not a group: " + group};
  if (connect(fd.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) return os_error("connect");
  return fd;
}

Result<void> enter_own_network() {
  if (unshare(CLONE_NEWNET) != 0) return os_error("a network of its own");
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
  if (ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return os_error("the loopback interface");
  return {};
}

Result<uint16_t> free_tcp_port() {
  return local_port(TRY(tcp_listen()));
}

Result<uint16_t> local_port(const Fd &socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket.get(), reinterpret_cast<sockaddr *>(&address), &size) != 0) return os_error("getsockname");
  return ntohs(address.sin_port);
}

void raise_descriptor_limit() {
  constexpr rlim_t kWanted = 65536;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  rlimit raised{kWanted, std::max<rlim_t>(kWanted, limit.rlim_max)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace sluice::fanout
