// Over the loopback interface, which takes part in multicast when it is asked to.
#include "common/loop/multicast.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>

#include <array>
#include <string_view>

namespace sluice::loop {
namespace {

const SocketAddress kGroup = *SocketAddress::parse("239.77.12.34:0");

// A port that nobody has, or hardly.
SocketAddress group_with_free_port() {
  Fd probe(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  EXPECT_EQ(::bind(probe.get(), reinterpret_cast<const sockaddr *>(&any), sizeof any), 0);
  return kGroup.with_port(SocketAddress::local_of(probe.get())->port());
}

uint32_t loopback() {
  return ::if_nametoindex("lo");
}

std::string received(const Fd &fd) {
  pollfd waiting{fd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 5000) != 1) return "nothing";
  std::array<char, 100> buffer;
  ssize_t count = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return count < 0 ? "error" : std::string(buffer.data(), static_cast<size_t>(count));
}

TEST(Multicast, ReachesAllWhoJoinedAndNotTheSender) {
  SocketAddress group = group_with_free_port();
  auto sender = connect_multicast(group, loopback(), 16);
  ASSERT_TRUE(sender.has_value()) << sender.error().message;
  EXPECT_EQ(SocketAddress::local_of(sender->get())->port(), group.port());
  auto first = bind_multicast(group), second = bind_multicast(group), outsider = bind_multicast(group);
  for (auto *each : {&first, &second, &outsider}) ASSERT_TRUE(each->has_value()) << each->error().message;
  for (auto *each : {&first, &second}) ASSERT_TRUE(join_multicast((*each)->get(), group, loopback()));
  EXPECT_FALSE(join_multicast(first->get(), group, loopback())) << "joined twice";
  ASSERT_EQ(::send(sender->get(), "media", 5, 0), 5);
  EXPECT_EQ(received(*first), "media");
  EXPECT_EQ(received(*second), "media");
  char scrap;
  EXPECT_LT(::recv(sender->get(), &scrap, 1, MSG_DONTWAIT), 0);
  EXPECT_LT(::recv(outsider->get(), &scrap, 1, MSG_DONTWAIT), 0);
  leave_multicast(first->get(), group, loopback());
  ASSERT_EQ(::send(sender->get(), "more", 4, 0), 4);
  EXPECT_EQ(received(*second), "more");
  EXPECT_LT(::recv(first->get(), &scrap, 1, MSG_DONTWAIT), 0);
}

TEST(Multicast, SendsFromAnotherPortWhereThatOneIsTaken) {
  SocketAddress group = group_with_free_port();
  Fd holder(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(group.port());
  ASSERT_EQ(::bind(holder.get(), reinterpret_cast<const sockaddr *>(&any), sizeof any), 0);
  auto sender = connect_multicast(group, loopback(), 16);
  ASSERT_TRUE(sender.has_value()) << sender.error().message;
  EXPECT_NE(SocketAddress::local_of(sender->get())->port(), group.port());
  EXPECT_FALSE(bind_multicast(group).has_value());
}

TEST(Multicast, RefusesAnInterfaceThatThereIsNot) {
  constexpr uint32_t kNone = 0x7ffffff0;
  EXPECT_FALSE(connect_multicast(kGroup.with_port(9), kNone, 16).has_value());
  auto socket = bind_multicast(group_with_free_port());
  ASSERT_TRUE(socket.has_value());
  EXPECT_FALSE(join_multicast(socket->get(), kGroup, kNone).has_value());
}

TEST(MulticastInterface, IsThatOfTheAddressAndForThisMachineThatOfTheRoute) {
  // Whatever addresses this machine has.
  Fd probe(::socket(AF_INET, SOCK_DGRAM, 0));
  uint32_t routed = loopback();
  if (::connect(probe.get(), kGroup.raw(), kGroup.length()) == 0) {
    auto local = *SocketAddress::local_of(probe.get());
    routed = multicast_interface(local, kGroup);
    EXPECT_EQ(multicast_interface(local.in_family(AF_INET6), kGroup), routed);
  }
  EXPECT_NE(routed, 0U);
  for (const char *text : {"127.0.0.1:8554", "127.1.2.3:8554", "[::1]:8554"})
    EXPECT_EQ(multicast_interface(*SocketAddress::parse(text), kGroup), routed) << text;
}

} // namespace
} // namespace sluice::loop
