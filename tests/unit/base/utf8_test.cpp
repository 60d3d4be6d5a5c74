#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Utf8, IsToldFromOtherBytes) {
  for (const char *text : {"", "a\n\x7f", "\u00e9\u20ac", "\U0010ffff", "\u0800", "\ud7ff"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char *text : {"\xff", "\x80", "a\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xf0\x80\x80\x80", "\xe2\x82", "\xc3z"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(Utf8, TellsTheLengthOfACharacter) {
  EXPECT_EQ(utf8_character_length(as_bytes("abc")), 1u);
  EXPECT_EQ(utf8_character_length(as_bytes("\u00e9x")), 2u);
  EXPECT_EQ(utf8_character_length(as_bytes("\u20acx")), 3u);
  EXPECT_EQ(utf8_character_length(as_bytes("\U0010ffffx")), 4u);
  EXPECT_EQ(utf8_character_length(as_bytes("\xe2\x82x")), 0u);
}

} // namespace
} // namespace sluice
