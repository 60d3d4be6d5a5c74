#include "supervisor/listeners.h"

#include "common/base/fd.h"
#include "supervisor/config/addresses.h"

#include <netdb.h>

#include <cstring>
#include <memory>

namespace sluice {
// A bind without SO_REUSEPORT fails while another process listens there.
Result<void> check_unused(const loop::SocketAddress &address, int type) {
  std::string what = std::string("listen ") + (type == SOCK_STREAM ? "tcp " : "udp ") + address.text();
  Fd probe(::socket(address.family(), type | SOCK_CLOEXEC, 0));
  if (!probe.valid()) return os_error(what);
  int on = 1, off = 0;
  if (type == SOCK_STREAM) ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    const auto &v6 = *reinterpret_cast<const sockaddr_in6 *>(address.raw());
    bool all = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr);
    ::setsockopt(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, all ? &off : &on, sizeof on);
  }
  if (::bind(probe.get(), address.raw(), address.length()) != 0) return os_error(what);
  return {};
}

Result<loop::SocketAddress> resolve(const std::string &text) {
  if (auto literal = loop::SocketAddress::parse(text)) return *literal;
  config::ListenAddress address = TRY(config::parse_listen_address(text));
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (error != 0) return Error{"address " + text + ": " + ::gai_strerror(error)};
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  sockaddr_storage storage{};
  std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
  return loop::SocketAddress(storage).with_port(address.port);
}

} // namespace sluice
