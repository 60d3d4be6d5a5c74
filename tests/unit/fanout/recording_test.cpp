#include "tests/bench/fanout/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::fanout {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr uint8_t kVideo = 0;
constexpr uint8_t kVideoRtcp = 1;
constexpr uint8_t kAudio = 2;

RecordedPacket packet(Nanoseconds arrival, uint8_t channel, size_t size, bool marker = false) {
  RecordedPacket made{arrival, channel, ByteVector(size)};
  made.bytes[1] = marker ? 0x80 : 0;
  return made;
}

// Two access units, audio in between and RTCP; then video without its end.
Recording example() {
  return {{packet(1, kAudio, 20, true), packet(2, kVideo, 50), packet(2, kVideo, 100), packet(2, kVideo, 100),
           packet(3, kVideo, 70, true), packet(4, kVideoRtcp, 28), packet(5, kAudio, 20, true),
           packet(6, kVideo, 100, true), packet(7, kVideo, 100)},
          {{true, ""}, {false, ""}},
          10};
}

std::vector<std::pair<size_t, size_t>> sizes_and_segments(const Round &round) {
  std::vector<std::pair<size_t, size_t>> result;
  for (const Span &span : round.spans) result.emplace_back(span.size, span.segment);
  return result;
}

TEST(TcpReplay, SendsOnceForEachAccessUnitWithWhatCameBefore) {
  Replay replay = tcp_replay(example()).value();
  ASSERT_EQ(replay.rounds.size(), 2u);
  EXPECT_EQ(replay.rounds[0].due, 3);
  EXPECT_THAT(sizes_and_segments(replay.rounds[0]), ElementsAre(Pair(5 * 4 + 340, 0)));
  EXPECT_THAT(sizes_and_segments(replay.rounds[1]), ElementsAre(Pair(3 * 4 + 148, 0)));
  EXPECT_EQ(replay.rounds[1].spans[0].offset, 360u);
  EXPECT_EQ(replay.bytes, 520u);
  EXPECT_EQ(replay.buffer[0], '$');
  EXPECT_EQ(replay.buffer[1], kAudio);
}

TEST(UdpReplay, SendsRunsOfEquallyLongPacketsWithAShorterLast) {
  Replay replay = udp_replay(example()).value();
  ASSERT_EQ(replay.rounds.size(), 4u);
  EXPECT_THAT(sizes_and_segments(replay.rounds[0]), ElementsAre(Pair(20, 0)));
  EXPECT_THAT(sizes_and_segments(replay.rounds[1]), ElementsAre(Pair(50, 0), Pair(270, 100)));
  EXPECT_THAT(sizes_and_segments(replay.rounds[2]), ElementsAre(Pair(20, 0)));
  EXPECT_THAT(sizes_and_segments(replay.rounds[3]), ElementsAre(Pair(100, 0)));
  EXPECT_EQ(replay.bytes, 460u);
}

TEST(UdpReplay, KeepsRunsWithinWhatOneCallTakes) {
  Recording recording{{}, {{true, ""}}, 10};
  for (int i = 0; i < 120; i++) recording.packets.push_back(packet(i, kVideo, 1400, i == 119));
  Replay replay = udp_replay(recording).value();
  ASSERT_EQ(replay.rounds.size(), 1u);
  EXPECT_THAT(sizes_and_segments(replay.rounds[0]),
              ElementsAre(Pair(46 * 1400, 1400), Pair(46 * 1400, 1400), Pair(28 * 1400, 1400)));
}

TEST(UdpReplay, RenumbersEachPacketAtItsPlaceInTheBuffer) {
  Replay replay = udp_replay(example()).value();
  std::vector<size_t> offsets;
  for (const SequenceField &field : replay.rounds[1].sequences) offsets.push_back(field.offset);
  EXPECT_THAT(offsets, ElementsAre(22, 72, 172, 272));
}

TEST(Replay, IsRefusedWithoutACompleteAccessUnit) {
  Recording recording{{packet(1, kVideo, 100)}, {{true, ""}}, 10};
  EXPECT_FALSE(tcp_replay(recording).has_value());
  EXPECT_FALSE(udp_replay(recording).has_value());
}

} // namespace
} // namespace sluice::fanout
