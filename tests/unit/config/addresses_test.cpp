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

} // namespace
} // namespace sluice::config
