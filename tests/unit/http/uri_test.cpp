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

// RFC 3986 sections 5.4.1 and 5.4.2
TEST(References, AreResolvedAsTheExamplesOfTheirRfc) {
  const struct {
    const char *reference, *expected;
  } cases[] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"http:g", "http:g"},
  };
  for (auto [reference, expected] : cases)
    EXPECT_EQ(resolve_reference("http://a/b/c/d;p?q", reference).value(), expected) << reference;
}

TEST(References, AreResolvedAgainstBasesOfAllKinds) {
  EXPECT_EQ(resolve_reference("https://u:p@h:8443/x/y.m3u8?t=a/b#f", "z.ts").value(), "https://u:p@h:8443/x/z.ts");
  EXPECT_EQ(resolve_reference("http://h", "z.ts").value(), "http://h/z.ts");
  EXPECT_EQ(resolve_reference("http://h?q", "z.ts").value(), "http://h/z.ts");
  EXPECT_EQ(resolve_reference("http://h/x", "a:b/c").value(), "a:b/c");
  EXPECT_EQ(resolve_reference("http://h/x/", "1a:b").value(), "http://h/x/1a:b"); // no scheme begins with a digit
  EXPECT_FALSE(resolve_reference("/x/y", "z").has_value());
  EXPECT_FALSE(resolve_reference("", "z").has_value());
}

} // namespace
} // namespace sluice::http
