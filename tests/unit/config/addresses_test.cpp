#include "supervisor/config/addresses.h"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

TEST(ListenAddress, HasAPortAndPerhapsAHost) {
  struct Case {
    const char *text, *host;
    int port;
  };
  for (auto [text, host, port] : {Case{":8554", "", 8554},
                                  {"127.0.0.1:1", "127.0.0.1", 1},
                                  {"[::1]:65535", "::1", 65535},
                                  {"[::]:80", "::", 80},
                                  {"localhost:8554", "localhost", 8554}}) {
    auto address = parse_listen_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, port);
  }
  for (const char *text : {"", "8554", ":", ":0", ":65536", ":-1", ":rtsp", "::1:8554", "[::1]", "[::1:8554", "[x]:1",
                           "[127.0.0.1]:1", "a b:1", "http://x:1", ":8554 ", "a/b:1"})
    EXPECT_FALSE(parse_listen_address(text)) << text;
}

TEST(IpOrCidr, IsEitherFamily) {
  for (const char *text : {"1.2.3.4", "::1", "fe80::/10", "10.0.0.0/8", "0.0.0.0/0", "::/128"})
    EXPECT_TRUE(is_ip_or_cidr(text)) << text;
  for (const char *text : {"", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "/8", "1.2.3.4/-1", "x", "1.2.3.4/8/8"})
    EXPECT_FALSE(is_ip_or_cidr(text)) << text;
  EXPECT_FALSE(is_cidr("1.2.3.4"));
}

TEST(MulticastRange, IsOfIPv4GroupsAndHasNoHostBits) {
  auto range = parse_multicast_range("224.1.2.3/16");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->network, 0xe0010000U);
  EXPECT_EQ(range->prefix_bits, 16);
  EXPECT_EQ(parse_multicast_range("239.255.255.255/32")->network, 0xefffffffU);
  EXPECT_EQ(parse_multicast_range("224.0.0.0/4")->network, 0xe0000000U);
  for (const char *text : {"", "224.1.0.0", "224.1.0.0/", "224.1.0.0/33", "224.0.0.0/3", "223.1.0.0/16", "240.0.0.0/8",
                           "ff02::/64", "224.1.0/16", "224.1.0.0/16/16"})
    EXPECT_FALSE(parse_multicast_range(text)) << text;
}

} // namespace
} // namespace sluice::config
