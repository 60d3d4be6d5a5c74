#include "common/loop/socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace sluice::loop {
namespace {

TEST(SocketAddress, ParsesBothFamilies) {
  auto v4 = SocketAddress::parse("127.0.0.1:8554");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->text(), "127.0.0.1:8554");
  auto v6 = SocketAddress::parse("[::1]:8554");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->text(), "[::1]:8554");
  auto local = SocketAddress::parse("localhost:1");
  ASSERT_TRUE(local.has_value());
  EXPECT_EQ(local->host(), "127.0.0.1");
}

TEST(SocketAddress, RefusesWhatIsNoAddress) {
  for (const char *text : {"", "8554", "host", "host:", "host:x", "1.2.3.4:65536", "1.2.3:5", ":-1", "[::1:5"})
    EXPECT_FALSE(SocketAddress::parse(text).has_value()) << text;
}

TEST(SocketAddress, ShowsMappedAddressesAsIPv4) {
  auto v4 = SocketAddress::parse("10.1.2.3:7");
  ASSERT_TRUE(v4.has_value());
  SocketAddress mapped = v4->in_family(AF_INET6);
  EXPECT_EQ(mapped.family(), AF_INET6);
  EXPECT_EQ(mapped.text(), "10.1.2.3:7");
  EXPECT_TRUE(mapped.same_host(*v4));
  EXPECT_EQ(mapped.in_family(AF_INET).family(), AF_INET);
}

uint16_t port_of(int fd) {
  return SocketAddress::local_of(fd)->port();
}

TEST(UdpBase, TakesWhatNoConnectedSocketTakes) {
  auto any = SocketAddress::parse("127.0.0.1:0");
  auto wildcard = SocketAddress::parse("0.0.0.0:0");
  auto base = bind_udp_base(*wildcard);
  ASSERT_TRUE(base.has_value()) << base.error().message;
  auto base_address = SocketAddress::local_of(base->get());
  auto address = any->with_port(base_address->port());

  Fd client(::socket(AF_INET, SOCK_DGRAM, 0)), stranger(::socket(AF_INET, SOCK_DGRAM, 0));
  for (const Fd *fd : {&client, &stranger}) ASSERT_EQ(::bind(fd->get(), any->raw(), any->length()), 0);
  auto peer = any->with_port(port_of(client.get()));
  auto connected = connect_udp(*base_address, *base_address, peer, 1 << 16);
  ASSERT_TRUE(connected.has_value()) << connected.error().message;
  // Further sockets between bind and connect take nothing either.
  Fd bound(::socket(AF_INET, SOCK_DGRAM, 0));
  int on = 1;
  setsockopt(bound.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  ASSERT_EQ(::bind(bound.get(), base_address->raw(), base_address->length()), 0);

  ASSERT_EQ(::sendto(client.get(), "a", 1, 0, address.raw(), address.length()), 1);
  ASSERT_EQ(::sendto(stranger.get(), "bc", 2, 0, address.raw(), address.length()), 2);
  char buffer[8];
  EXPECT_EQ(::recv(connected->get(), buffer, sizeof buffer, 0), 1);
  EXPECT_EQ(::recv(base->get(), buffer, sizeof buffer, 0), 2);
  EXPECT_EQ(::recv(bound.get(), buffer, sizeof buffer, MSG_DONTWAIT), -1);
}

int option_of(const Fd &fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(fd.get(), level, name, &value, &length), 0);
  return value;
}

TEST(PrepareStreamSocket, AsksSilentPeersWithinMinutesWhetherTheyAreThere) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  prepare_stream_socket(fd.get());
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  int probing = option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL) * option_of(fd, IPPROTO_TCP, TCP_KEEPCNT);
  EXPECT_GT(probing, 0);
  EXPECT_LE(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE) + probing, 180);
}

TEST(CloseInOrder, LetsOurLastBytesArriveAlthoughInputWasNotRead) {
  auto listener = listen_tcp(*SocketAddress::parse("127.0.0.1:0"));
  ASSERT_TRUE(listener.has_value());
  auto address = SocketAddress::local_of(listener->get());
  Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(client.get(), address->raw(), address->length()), 0);
  pollfd wait{listener->get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 5000), 1);
  Fd server(::accept(listener->get(), nullptr, nullptr));
  ASSERT_TRUE(server.valid());
  ASSERT_EQ(::send(client.get(), "never read", 10, 0), 10);
  ASSERT_EQ(::send(server.get(), "bye", 3, 0), 3);
  close_in_order(server.get());
  server.reset();
  char buffer[8];
  EXPECT_EQ(::recv(client.get(), buffer, sizeof buffer, 0), 3);
  EXPECT_EQ(::recv(client.get(), buffer, sizeof buffer, 0), 0);
}

} // namespace
} // namespace sluice::loop
