#include "common/http/uri.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

TEST(PercentEncoding, IsDecoded) {
  EXPECT_EQ(percent_decode("a%20b%2fc%C3%a9").value(), "a b/c\xc3\xa9");
  EXPECT_EQ(percent_decode("a+b").value(), "a+b");
  EXPECT_EQ(percent_decode("").value(), "");
  EXPECT_EQ(percent_decode("%2541").value(), "%41");
}

TEST(PercentEncoding, IsRefusedWhenCutOrWrong) {
  for (const char *text : {"%", "%4", "a%", "%g0", "%0g", "%%20", "%-1"})
    EXPECT_FALSE(percent_decode(text).has_value()) << text;
}

TEST(PercentEncoding, SurvivesARoundTrip) {
  std::string all;
  for (int c = 0; c < 256; c++) all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
  EXPECT_EQ(percent_decode(percent_encode(all, true)).value(), all);
  EXPECT_EQ(percent_encode("~^a/b c$"), "~%5Ea%2Fb%20c%24");
  EXPECT_EQ(percent_encode("a/b c", true), "a/b%20c");
}

TEST(Query, IsTakenApart) {
  auto query = parse_query("a=1&b=x+y%2B&&c&=d&a=2&e==f");
  ASSERT_TRUE(query.has_value());
  ASSERT_EQ(query->all().size(), 6U);
  EXPECT_EQ(*query->find("a"), "1");
  EXPECT_EQ(*query->find("b"), "x y+");
  EXPECT_EQ(*query->find("c"), "");
  EXPECT_EQ(*query->find(""), "d");
  EXPECT_EQ(*query->find("e"), "=f");
  EXPECT_EQ(query->find("f"), nullptr);
  EXPECT_TRUE(parse_query("")->all().empty());
  EXPECT_FALSE(parse_query("a=%").has_value());
}

TEST(Target, HasAPathAndAQuery) {
  auto target = parse_target("GET", "/a%3Fb?c?d=%20");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/a?b");
  EXPECT_EQ(target->query, "c?d=%20");
  auto absolute = parse_target("GET", "http://h?q");
  ASSERT_TRUE(absolute.has_value());
  EXPECT_EQ(absolute->path, "/");
  EXPECT_EQ(absolute->query, "q");
}

} // namespace
} // namespace sluice::http
