#include "common/base/text.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Text, ComparesAsciiLettersInAnyCase) {
  EXPECT_TRUE(equal_ignoring_case("", ""));
  EXPECT_TRUE(equal_ignoring_case("Content-LENGTH", "content-length"));
  EXPECT_FALSE(equal_ignoring_case("a", "ab"));
  EXPECT_FALSE(equal_ignoring_case("ab", "a"));
  EXPECT_FALSE(equal_ignoring_case("[", "{")) << "neighbours of the letters";
  EXPECT_FALSE(equal_ignoring_case("@", "`"));
  EXPECT_FALSE(equal_ignoring_case("\xc4", "\xe4")) << "a letter of Latin-1";
}

TEST(Text, IsLoweredInAsciiOnly) {
  EXPECT_EQ(lower("AZaz@[`{09"), "azaz@[`{09");
  EXPECT_EQ(lower("\xc4"), "\xc4");
}

TEST(Text, IsTrimmedOfSpacesAndTabs) {
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim("\t a \tb "), "a \tb");
  EXPECT_EQ(trim("\na\n"), "\na\n") << "line ends stay";
}

} // namespace
} // namespace sluice
