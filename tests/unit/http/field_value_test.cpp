#include "common/http/field_value.h"
#include "common/http/headers.h"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

TEST(FieldValue, QuotedStringsAreUnescaped) {
  std::string_view rest = R"("a \"b\" \\ c, d=e" , next)";
  EXPECT_EQ(take_quoted(rest), R"(a "b" \ c, d=e)");
  EXPECT_EQ(rest, " , next");
  rest = R"("")";
  EXPECT_EQ(take_quoted(rest), "");
  EXPECT_EQ(rest, "");
}

TEST(FieldValue, QuotedStringsMustEnd) {
  for (std::string_view text : {R"(")", R"("abc)", R"("abc\")", R"("abc\)"}) {
    std::string_view rest = text;
    EXPECT_FALSE(take_quoted(rest)) << text;
  }
}

TEST(FieldValue, IsTakenPieceByPiece) {
  std::string_view rest = " ,\tname = value";
  skip(rest, ", \t");
  EXPECT_EQ(take_until(rest, "=, \t"), "name");
  EXPECT_EQ(take_until(rest, " "), "");
  skip(rest, " =");
  EXPECT_EQ(take_until(rest, "="), "value");
  skip(rest, " ");
  EXPECT_EQ(rest, "");
}

TEST(Headers, ForgetTheValuesOfAName) {
  Headers headers{{"Authorization", "Basic secret"}, {"X", "y"}, {"AUTHORIZATION", "Digest secret"}};
  headers.wipe("authorization");
  for (const Header &header : headers.all()) EXPECT_EQ(header.value, header.name == "X" ? "y" : "");
}

} // namespace
} // namespace sluice::http
