#include "common/base/base64.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Base64, EncodesTheExamplesOfTheRfc) {
  EXPECT_EQ(base64_encode(as_bytes("")), "");
  EXPECT_EQ(base64_encode(as_bytes("f")), "Zg==");
  EXPECT_EQ(base64_encode(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(base64_encode(as_bytes("foo")), "Zm9v");
  EXPECT_EQ(base64_encode(as_bytes("foob")), "Zm9vYg==");
  EXPECT_EQ(base64_encode(as_bytes("fooba")), "Zm9vYmE=");
  EXPECT_EQ(base64_encode(as_bytes("foobar")), "Zm9vYmFy");
}

TEST(Base64, DecodesWhatItEncodes) {
  ByteVector bytes;
  for (int i = 0; i < 300; i++) {
    auto decoded = base64_decode(base64_encode(bytes));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, bytes);
    bytes.push_back(static_cast<uint8_t>(i * 37 + 11));
  }
}

TEST(Base64, UsesTheStandardAlphabet) {
  EXPECT_EQ(*base64_decode("+/8="), (ByteVector{0xfb, 0xff}));
  EXPECT_FALSE(base64_decode("-_8="));
}

TEST(Base64, RefusesWhatIsNotStrict) {
  for (const char *text :
       {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "=Zg=", "Zg==\n", "Zm 9", "Zh==", "Zm9=", "Zm\x80v"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

} // namespace
} // namespace sluice
