#include "common/base/ip_list.h"
#include "supervisor/config/addresses.h"

#include <gtest/gtest.h>

namespace sluice::auth {
namespace {

bool contains(const std::vector<std::string> &items, std::string_view address) {
  auto list = IpList::parse(items);
  EXPECT_TRUE(list);
  return list && list->contains(address);
}

TEST(IpList, HoldsAddressesAndRanges) {
  const std::vector<std::string> items = {"127.0.0.1", "10.1.0.0/16", "192.168.1.64/26", "::1", "2001:db8::/33"};
  for (const char *address : {"127.0.0.1", "10.1.0.0", "10.1.255.255", "192.168.1.64", "192.168.1.127", "::1",
                              "2001:db8::", "2001:db8:7fff::1", "0:0::1"})
    EXPECT_TRUE(contains(items, address)) << address;
  for (const char *address : {"127.0.0.2", "10.2.0.0", "10.0.255.255", "192.168.1.63", "192.168.1.128", "::2",
                              "2001:db8:8000::1", "2001:db7::"})
    EXPECT_FALSE(contains(items, address)) << address;
}

TEST(IpList, TakesMappedAddressesAsIPv4) {
  EXPECT_TRUE(contains({"10.0.0.0/8"}, "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains({"::ffff:10.1.2.3"}, "10.1.2.3"));
  EXPECT_TRUE(contains({"::ffff:10.0.0.0/104"}, "10.1.2.3"));
  EXPECT_FALSE(contains({"::ffff:10.0.0.0/104"}, "11.1.2.3"));
  EXPECT_TRUE(contains({"::ffff:0:0/96"}, "1.2.3.4"));
}

TEST(IpList, KeepsFamiliesApart) {
  EXPECT_TRUE(contains({"0.0.0.0/0"}, "1.2.3.4"));
  EXPECT_FALSE(contains({"0.0.0.0/0"}, "2001:db8::1"));
  EXPECT_TRUE(contains({"::/0"}, "2001:db8::1"));
  EXPECT_FALSE(contains({"::/0"}, "1.2.3.4"));
  EXPECT_FALSE(contains({"::ffff:1.2.3.4/8"}, "1.2.3.4"));
  EXPECT_TRUE(contains({"::ffff:1.2.3.4/8"}, "::1"));
}

TEST(IpList, IgnoresBitsBeyondThePrefixAndZones) {
  EXPECT_TRUE(contains({"10.1.2.3/8"}, "10.9.9.9"));
  EXPECT_TRUE(contains({"fe80::/10"}, "fe80::1%eth0"));
}

TEST(IpList, HoldsNoTextsThatAreNoAddress) {
  for (const char *address : {"", "x", "1.2.3", "1.2.3.4:5", "1.2.3.4/0", "%", "[::1]", " 1.2.3.4", "01.2.3.4"})
    EXPECT_FALSE(contains({"0.0.0.0/0", "::/0"}, address)) << address;
  EXPECT_FALSE(contains({"0.0.0.0/0"}, std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(IpList().contains("1.2.3.4"));
}

TEST(IpList, TakesWhatTheConfigurationTakes) {
  for (const char *text : {"", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "/8", "1.2.3.4/-1", "x", "1.2.3.4/8/8",
                           "1.2.3.4/32", "::/128", "1.2.3.4/+8", "::1", "1.2.3.4/0"})
    EXPECT_EQ(IpList::parse({text}).has_value(), config::is_ip_or_cidr(text)) << text;
  EXPECT_EQ(IpList::parse({"::1", "x"}).error().message, "unable to parse IP/CIDR 'x'");
}

} // namespace
} // namespace sluice::auth
