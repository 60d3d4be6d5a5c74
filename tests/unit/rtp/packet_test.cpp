#include "common/rtp/packet.h"
#include "common/rtp/sequence.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

namespace sluice::rtp {
namespace {

TEST(RtpPacket, FieldsAreRead) {
  ByteVector packet = hex("80 e1 1234 89abcdef 01020304 aabbcc");
  auto view = parse_packet(packet);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->header.marker);
  EXPECT_EQ(view->header.payload_type, 97);
  EXPECT_EQ(view->header.sequence, 0x1234);
  EXPECT_EQ(view->header.timestamp, 0x89abcdefu);
  EXPECT_EQ(view->header.ssrc, 0x01020304u);
  EXPECT_EQ(view->header_size, 12u);
  EXPECT_EQ(view->padding, 0u);
  EXPECT_EQ(ByteVector(view->payload.begin(), view->payload.end()), hex("aabbcc"));
}

// 2 CSRCs, extension of one word, 2 bytes of payload, 3 of padding.
const char *const kFull = "b2 60 0001 00000002 00000003 11111111 22222222 bede 0001 33333333 aabb 000003";

TEST(RtpPacket, SourcesExtensionAndPaddingAreCutOff) {
  ByteVector packet = hex(kFull);
  auto view = parse_packet(packet);
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->header.marker);
  EXPECT_EQ(view->header_size, 28u);
  EXPECT_EQ(view->padding, 3u);
  EXPECT_EQ(ByteVector(view->payload.begin(), view->payload.end()), hex("aabb"));
}

TEST(RtpPacket, PaddingIsRemovedAndItsBitCleared) {
  ByteVector packet = hex(kFull);
  ByteVector out(packet.size());
  Bytes stripped = without_padding(packet, *parse_packet(packet), out);
  ByteVector expected = hex("92 60 0001 00000002 00000003 11111111 22222222 bede 0001 33333333 aabb");
  EXPECT_EQ(ByteVector(stripped.begin(), stripped.end()), expected);
}

TEST(RtpPacket, TruncatedHeadersAreErrors) {
  ByteVector packet = hex(kFull);
  for (size_t size = 0; size < 28; size++) EXPECT_FALSE(parse_packet(Bytes(packet).first(size))) << size;
}

TEST(RtpPacket, PaddingThatDoesNotFitIsAnError) {
  EXPECT_FALSE(parse_packet(hex("a0 60 0001 00000002 00000003 aabb00")));
  EXPECT_FALSE(parse_packet(hex("a0 60 0001 00000002 00000003 aabb04")));
  EXPECT_FALSE(parse_packet(hex("a0 60 0001 00000002 00000003")));
  EXPECT_TRUE(parse_packet(hex("a0 60 0001 00000002 00000003 aabb03"))->payload.empty());
}

TEST(RtpPacket, OtherVersionsAreErrors) {
  EXPECT_FALSE(parse_packet(hex("40 60 0001 00000002 00000003")));
  EXPECT_FALSE(parse_packet(hex("c0 60 0001 00000002 00000003")));
}

TEST(RtpPacket, WrittenHeadersAreReadBack) {
  for (bool marker : {false, true}) {
    Header header{marker, 127, 0xfffe, 0x80000001, 0xdeadbeef};
    std::array<uint8_t, kHeaderSize> bytes;
    write_header(header, bytes.data());
    auto view = parse_packet(bytes);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header.marker, marker);
    EXPECT_EQ(view->header.payload_type, 127);
    EXPECT_EQ(view->header.sequence, 0xfffe);
    EXPECT_EQ(view->header.timestamp, 0x80000001u);
    EXPECT_EQ(view->header.ssrc, 0xdeadbeefu);
  }
}

TEST(RtpPacket, EmptyPacketIsAHeaderAlone) {
  auto packet = make_empty_packet();
  EXPECT_EQ(ByteVector(packet.begin(), packet.end()), hex("800000000000000000000000"));
}

TEST(Sequence, DistancesWrap) {
  EXPECT_EQ(sequence_distance(65535, 0), 1);
  EXPECT_EQ(sequence_distance(0, 65535), -1);
  EXPECT_EQ(sequence_distance(10, 32777), 32767);
}

TEST(Sequence, ExtensionFollowsWrapsBothWays) {
  SequenceExtender extender;
  EXPECT_EQ(extender.extend(65534), 65536u + 65534);
  EXPECT_EQ(extender.extend(1), 65536u + 65537);
  EXPECT_EQ(extender.extend(65535), 65536u + 65535);
  SequenceExtender near_zero;
  EXPECT_EQ(near_zero.extend(0), 65536u);
  EXPECT_EQ(near_zero.extend(65535), 65535u);
}

TEST(Sequence, ExtensionOfAllNumbersManyTimesIsContinuous) {
  SequenceExtender extender;
  uint64_t first = extender.extend(0);
  for (uint64_t i = 1; i < 200000; i++) ASSERT_EQ(extender.extend(static_cast<uint16_t>(i)), first + i);
}

TEST(Timestamps, AreRelativeToTheFirst) {
  TimestampUnwrapper unwrapper(90000);
  EXPECT_EQ(unwrapper.unwrap(0xffffff00), 0);
  EXPECT_EQ(unwrapper.unwrap(0xffffff00 + 90000), kSecond);
  EXPECT_EQ(unwrapper.unwrap(0xffffff00 - 9000), -100 * kMillisecond);
  TimestampUnwrapper later(48000, 5 * kSecond);
  EXPECT_EQ(later.unwrap(77), 5 * kSecond);
}

TEST(TimestampUnwrapper, StaysInRangeWhateverThePublisherSays) {
  constexpr Nanoseconds kLimit = Nanoseconds{1} << 60;
  for (uint32_t rate : {1u, 90000u, UINT32_MAX})
    for (int32_t step : {INT32_MAX, INT32_MIN}) {
      TimestampUnwrapper unwrapper(rate, kLimit);
      uint32_t timestamp = 0;
      for (int i = 0; i < 100; i++) {
        Nanoseconds time = unwrapper.unwrap(timestamp += static_cast<uint32_t>(step));
        EXPECT_LE(time, kLimit);
        EXPECT_GE(time, -kLimit);
      }
    }
}

TEST(Timestamps, StayExactOverAYear) {
  constexpr int64_t kYear = 365LL * 24 * 3600;
  EXPECT_EQ(ticks_to_ns(kYear * 90000 + 45000, 90000), kYear * kSecond + kSecond / 2);
  EXPECT_EQ(ns_to_ticks(kYear * kSecond + kSecond / 2, 90000), kYear * 90000 + 45000);
  TimestampUnwrapper unwrapper(90000);
  Nanoseconds last = 0;
  for (int64_t hour = 0; hour < 24 * 365; hour++) last = unwrapper.unwrap(static_cast<uint32_t>(hour * 3600 * 90000));
  EXPECT_EQ(last, (24 * 365 - 1) * 3600LL * kSecond);
}

} // namespace
} // namespace sluice::rtp
