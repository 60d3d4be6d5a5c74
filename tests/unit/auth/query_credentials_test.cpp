#include "supervisor/auth/query_credentials.h"

#include <gtest/gtest.h>

namespace sluice::auth {
namespace {

std::string text_of(std::string_view query) {
  QueryCredentials given = parse_query_credentials(query);
  return std::string(given.user.view()) + "|" + std::string(given.password.view());
}

TEST(QueryCredentials, AreUserAndPass) {
  EXPECT_EQ(text_of("user=me&pass=secret"), "me|secret");
  EXPECT_EQ(text_of("token=1&pass=a=b&user=me"), "me|a=b");
  EXPECT_EQ(text_of("user=me"), "me|");
  EXPECT_EQ(text_of(""), "|");
  EXPECT_EQ(text_of("users=a&password=b&&=c&user"), "|");
}

TEST(QueryCredentials, AreDecoded) {
  EXPECT_EQ(text_of("user=a%26b+c&pass=%e4%2B"), "a&b c|\xe4+");
  EXPECT_EQ(text_of("user=a%2&pass=x"), "|x");
  EXPECT_EQ(text_of("user=%zz&pass=%"), "|");
}

TEST(QueryCredentials, AreTheFirstOfTheirName) {
  EXPECT_EQ(text_of("user=a&user=b&pass=c&pass=d"), "a|c");
  EXPECT_EQ(text_of("user=&user=b&pass=c"), "|c");
}

} // namespace
} // namespace sluice::auth
