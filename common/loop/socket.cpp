#include "common/loop/socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <charconv>
#include <cstring>

namespace sluice::loop {
namespace {

// A host that vanished while nothing was sent to it is known to be gone after 60 + 4 * 20 seconds.
constexpr int kKeepaliveIdleSeconds = 60, kKeepaliveIntervalSeconds = 20, kKeepaliveProbes = 4;

bool machine_has_ipv6() {
  static const bool has = Fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)).valid();
  return has;
}

const sockaddr_in &as_v4(const sockaddr_storage &storage) {
  return reinterpret_cast<const sockaddr_in &>(storage);
}
const sockaddr_in6 &as_v6(const sockaddr_storage &storage) {
  return reinterpret_cast<const sockaddr_in6 &>(storage);
}

Result<Fd> open_socket(const SocketAddress &address, int type) {
  Fd fd(::socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return os_error("socket");
  int off = 0, on = 1;
  if (address.family() == AF_INET6) {
    const auto &v6 = *reinterpret_cast<const sockaddr_in6 *>(address.raw());
    bool all = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, all ? &off : &on, sizeof on);
  }
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return os_error("SO_REUSEPORT");
  return fd;
}

// What came between bind and connect. Where the port is bound to one address, the base does not take it all.
void discard_strangers(int fd) {
  constexpr int kMost = 1024;
  uint8_t scrap;
  for (int i = 0; i < kMost && ::recv(fd, &scrap, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++) {
  }
}

Result<SocketAddress> name_of(int fd, int (*get)(int, sockaddr *, socklen_t *)) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (get(fd, reinterpret_cast<sockaddr *>(&storage), &length) != 0) return os_error("socket address");
  return SocketAddress(storage);
}

} // namespace

Result<SocketAddress> SocketAddress::parse(std::string_view text) {
  Error invalid{"invalid address '" + std::string(text) + "' (expected host:port)"};
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid;
  std::string_view port_text = text.substr(colon + 1);
  uint16_t port = 0;
  auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port_text.empty()) return invalid;
  std::string host(text.substr(0, colon));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";

  sockaddr_storage storage{};
  auto &v4 = reinterpret_cast<sockaddr_in &>(storage);
  auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage);
  if ((host.empty() && machine_has_ipv6()) || inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
  } else if (host.empty() || inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
  } else {
    return invalid;
  }
  return SocketAddress(storage);
}

Result<SocketAddress> SocketAddress::peer_of(int fd) {
  return name_of(fd, ::getpeername);
}
Result<SocketAddress> SocketAddress::local_of(int fd) {
  return name_of(fd, ::getsockname);
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&as_v6(storage_).sin6_addr))
    inet_ntop(AF_INET, as_v6(storage_).sin6_addr.s6_addr + 12, text, sizeof text);
  else if (family() == AF_INET6)
    inet_ntop(AF_INET6, &as_v6(storage_).sin6_addr, text, sizeof text);
  else
    inet_ntop(AF_INET, &as_v4(storage_).sin_addr, text, sizeof text);
  return text;
}

bool SocketAddress::is_unspecified() const {
  if (family() == AF_INET6) return IN6_IS_ADDR_UNSPECIFIED(&as_v6(storage_).sin6_addr);
  return as_v4(storage_).sin_addr.s_addr == htonl(INADDR_ANY);
}

uint16_t SocketAddress::port() const {
  return ntohs(family() == AF_INET6 ? as_v6(storage_).sin6_port : as_v4(storage_).sin_port);
}

std::string SocketAddress::text() const {
  std::string name = host();
  bool bracket = name.find(':') != std::string::npos;
  return (bracket ? "[" + name + "]" : name) + ":" + std::to_string(port());
}

SocketAddress SocketAddress::with_port(uint16_t port) const {
  sockaddr_storage storage = storage_;
  if (family() == AF_INET6)
    reinterpret_cast<sockaddr_in6 &>(storage).sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in &>(storage).sin_port = htons(port);
  return SocketAddress(storage);
}

SocketAddress SocketAddress::in_family(int wanted) const {
  if (wanted == family()) return *this;
  sockaddr_storage storage{};
  if (wanted == AF_INET6) {
    auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port());
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
    std::memcpy(v6.sin6_addr.s6_addr + 12, &as_v4(storage_).sin_addr, 4);
  } else if (IN6_IS_ADDR_V4MAPPED(&as_v6(storage_).sin6_addr)) {
    auto &v4 = reinterpret_cast<sockaddr_in &>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port());
    std::memcpy(&v4.sin_addr, as_v6(storage_).sin6_addr.s6_addr + 12, 4);
  } else {
    return *this;
  }
  return SocketAddress(storage);
}

Result<Fd> listen_tcp(const SocketAddress &address) {
  auto fail = [&](const Error &error) { return Error{"listen tcp " + address.text() + ": " + error.message}; };
  auto fd = open_socket(address, SOCK_STREAM);
  if (!fd) return fail(fd.error());
  int on = 1;
  setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); // a restart need not wait for TIME_WAIT
  if (::bind(fd->get(), address.raw(), address.length()) != 0) return fail(os_error("bind"));
  if (::listen(fd->get(), 4096) != 0) return fail(os_error("listen"));
  return fd;
}

Result<Fd> bind_udp_base(const SocketAddress &address) {
  auto fail = [&](const Error &error) { return Error{"listen udp " + address.text() + ": " + error.message}; };
  auto fd = open_socket(address, SOCK_DGRAM);
  if (!fd) return fail(fd.error());
  if (::bind(fd->get(), address.raw(), address.length()) != 0) return fail(os_error("bind"));
  sock_filter first = {BPF_RET | BPF_K, 0, 0, 0}; // index 0 of the group: the socket bound first
  sock_fprog program = {1, &first};
  if (setsockopt(fd->get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0)
    return fail(os_error("SO_ATTACH_REUSEPORT_CBPF"));
  return fd;
}

Result<Fd> connect_udp(const SocketAddress &base, const SocketAddress &local, const SocketAddress &peer,
                       int receive_buffer_bytes) {
  Fd fd = TRY(open_socket(base, SOCK_DGRAM));
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  SocketAddress own = base.is_unspecified() ? local.in_family(base.family()).with_port(base.port()) : base;
  if (::bind(fd.get(), own.raw(), own.length()) != 0) return os_error("bind udp " + own.text());
  SocketAddress target = peer.in_family(base.family());
  if (::connect(fd.get(), target.raw(), target.length()) != 0) return os_error("connect udp " + peer.text());
  discard_strangers(fd.get());
  return fd;
}

void prepare_stream_socket(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepaliveIdleSeconds, sizeof kKeepaliveIdleSeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepaliveIntervalSeconds, sizeof kKeepaliveIntervalSeconds);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &kKeepaliveProbes, sizeof kKeepaliveProbes);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

size_t unacknowledged_bytes(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

void close_in_order(int fd) {
  constexpr int kMaxReads = 64; // a peer that sends faster than we discard gets its reset
  uint8_t scrap[16 * 1024];
  for (int i = 0; i<kMaxReads && ::recv(fd, scrap, sizeof scrap, MSG_DONTWAIT)> 0; i++) {
  }
  ::shutdown(fd, SHUT_WR);
}

uint64_t socket_cookie(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

} // namespace sluice::loop
