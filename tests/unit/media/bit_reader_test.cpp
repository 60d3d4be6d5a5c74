#include "common/media/bit_reader.h"
#include "common/media/nal_unit.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

TEST(BitReader, ReadsAcrossBytes) {
  ByteVector bytes = hex("a5 c3 ff 00 12 34 56 78");
  BitReader reader(bytes);
  EXPECT_EQ(reader.bits(3), 5u);
  EXPECT_EQ(reader.bits(7), 0x17u);
  EXPECT_TRUE(!reader.flag());
  EXPECT_EQ(reader.bits(0), 0u);
  reader.skip(21);
  EXPECT_EQ(reader.bits(32), 0x12345678u);
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_TRUE(reader.ok());
}

TEST(BitReader, StaysFailedAfterTheEnd) {
  ByteVector bytes = hex("ff");
  BitReader reader(bytes);
  EXPECT_EQ(reader.bits(9), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.bits(1), 0u);
  BitReader skipping(bytes);
  skipping.skip(9);
  EXPECT_FALSE(skipping.ok());
}

TEST(BitReader, ReadsExpGolombCodes) {
  // 1 010 011 00100 00101 00110 00111 0001000
  ByteVector bytes = hex("a6 42 98 e2 00");
  BitReader unsigned_codes(bytes);
  for (uint32_t i = 0; i < 7; i++) EXPECT_EQ(unsigned_codes.ue(), i);
  BitReader signed_codes(bytes);
  for (int32_t i : {0, 1, -1, 2, -2, 3, -3}) EXPECT_EQ(signed_codes.se(), i);
}

TEST(BitReader, ReadsTheLargestExpGolombCodeAndRefusesLongerOnes) {
  ByteVector largest = hex("00000001 ffffffff");
  BitReader reader(largest);
  EXPECT_EQ(reader.ue(), 0xfffffffeu);
  EXPECT_TRUE(reader.ok());
  ByteVector longer = hex("00000000 ffffffff ff");
  BitReader refused(longer);
  EXPECT_EQ(refused.ue(), 0u);
  EXPECT_FALSE(refused.ok());
}

TEST(RawPayload, RemovesEmulationPrevention) {
  auto raw = [](std::string_view text) {
    ByteVector input = hex(text);
    RawPayload payload(input);
    Bytes bytes = payload.bytes();
    return ByteVector(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(raw("67 000003 01 000003 000003"), hex("67 0000 01 0000 0000"));
  EXPECT_EQ(raw("67 0003 00 03"), hex("67 0003 00 03"));
  EXPECT_EQ(raw("00 00 00 03 03"), hex("00 00 00 03"));
  EXPECT_EQ(raw(""), ByteVector());
}

TEST(RawPayload, IsBounded) {
  ByteVector input(5000, 1);
  EXPECT_EQ(RawPayload(input).bytes().size(), kMaxParameterSet);
}

} // namespace
} // namespace sluice::media
