#include "common/http/client_address.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

std::string address(std::initializer_list<Header> headers, const std::string &peer = "10.0.0.1") {
  Request request;
  request.headers = headers;
  return client_address(request, peer, *IpList::parse({"10.0.0.0/8", "fd00::/8"}));
}

TEST(ClientAddress, IsThePeersUnlessThatIsTrusted) {
  EXPECT_EQ(address({{"X-Forwarded-For", "1.2.3.4"}, {"X-Real-IP", "1.2.3.4"}}, "9.9.9.9"), "9.9.9.9");
  EXPECT_EQ(address({}), "10.0.0.1");
}

TEST(ClientAddress, IsTheLastOneThatIsNotTrusted) {
  EXPECT_EQ(address({{"X-Forwarded-For", "1.2.3.4"}}), "1.2.3.4");
  EXPECT_EQ(address({{"X-Forwarded-For", "6.6.6.6, 1.2.3.4 ,10.0.0.2, fd00::1"}}), "1.2.3.4");
  EXPECT_EQ(address({{"x-forwarded-for", "6.6.6.6, 1.2.3.4"}, {"X-Forwarded-For", "10.0.0.2"}}), "1.2.3.4");
  EXPECT_EQ(address({{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}), "10.0.0.3");
  EXPECT_EQ(address({{"X-Forwarded-For", "2001:db8::1"}}), "2001:db8::1");
}

TEST(ClientAddress, IsTakenFromTheOtherHeaderIfThatOneIsNotUnderstood) {
  EXPECT_EQ(address({{"X-Real-IP", " 1.2.3.4 "}}), "1.2.3.4");
  EXPECT_EQ(address({{"X-Forwarded-For", "1.2.3.4, unknown"}, {"X-Real-IP", "5.6.7.8"}}), "5.6.7.8");
  EXPECT_EQ(address({{"X-Forwarded-For", "1.2.3.4, "}}), "10.0.0.1");
  EXPECT_EQ(address({{"X-Real-IP", "nobody"}}), "10.0.0.1");
}

} // namespace
} // namespace sluice::http
