#include "tests/bench/fanout/interleaved.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::fanout {
namespace {

using Packets = std::vector<std::pair<int, std::string>>;

const std::string kStream("RTSP/1.0 200 OK\r\nCSeq: 4\r\n\r\n$\0\0\3abc$\2\0\0$\1\0\2xy", 28 + 7 + 4 + 6);

bool feed(InterleavedParser &parser, std::string_view input, Packets &packets) {
  return parser.feed(as_bytes(input),
                     [&](uint8_t channel, Bytes packet) { packets.emplace_back(channel, as_text(packet)); });
}

ByteVector rtp(uint16_t sequence) {
  ByteVector packet(kRtpHeaderSize);
  store_be16(packet.data() + 2, sequence);
  return packet;
}

TEST(InterleavedParser, SkipsTheReplyAndDeliversPackets) {
  InterleavedParser parser;
  Packets packets;
  EXPECT_TRUE(feed(parser, kStream, packets));
  EXPECT_EQ(packets, (Packets{{0, "abc"}, {2, ""}, {1, "xy"}}));
}

TEST(InterleavedParser, DeliversTheSameWhenFedByteByByte) {
  InterleavedParser parser;
  Packets packets;
  for (char byte : kStream) EXPECT_TRUE(feed(parser, {&byte, 1}, packets));
  EXPECT_EQ(packets, (Packets{{0, "abc"}, {2, ""}, {1, "xy"}}));
}

TEST(InterleavedParser, RefusesBytesBetweenPackets) {
  InterleavedParser parser;
  Packets packets;
  EXPECT_FALSE(feed(parser, kStream + "?", packets));
}

TEST(SequenceCheck, CountsNothingAcrossTheWrap) {
  SequenceCheck check;
  for (uint16_t sequence : {65534, 65535, 0, 1}) check.on_packet(rtp(sequence));
  EXPECT_EQ(check.packets, 4u);
  EXPECT_EQ(check.lost, 0u);
  EXPECT_EQ(check.disordered, 0u);
}

TEST(SequenceCheck, CountsSkippedAndRepeatedNumbers) {
  SequenceCheck check;
  for (uint16_t sequence : {10, 13, 13, 12, 14}) check.on_packet(rtp(sequence));
  EXPECT_EQ(check.lost, 2u);
  EXPECT_EQ(check.disordered, 2u);
}

} // namespace
} // namespace sluice::fanout
