#include "ipc/ring/whole_units.h"
#include "ring_test_support.h"

#include <gmock/gmock.h>

namespace sluice::ring {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::array<uint8_t, media::kMaxTracks> kChannels{4, 8, 12};
constexpr size_t kRoom = 256 * 1024;
constexpr size_t kAll = SIZE_MAX;

// Two tracks, 0 with random access points; entries of 1000 bytes.
struct WholeUnitsTest : testing::Test {
  TestRing ring;
  size_t entry_bytes = 1000;

  uint64_t append(uint8_t track, uint16_t flags) {
    uint64_t sequence = ring.writer.head();
    if ((flags & kRtcp) == 0) ring.writer.set_track_state(track, {.has_traffic = true});
    EXPECT_TRUE(ring.writer.append({track, flags, 0, 0, static_cast<Nanoseconds>(sequence)},
                                   packet_of(sequence, entry_bytes - kFrameHeaderBytes)));
    ring.writer.commit(0);
    return sequence;
  }
  uint64_t head() const { return ring.reader.head(); }
  // Until an entry that began here would not be safe any more.
  void fill(uint8_t track = 0, uint64_t from = 0) {
    uint64_t position = ring.reader.entry(from)->position;
    while (ring.reader.safe(position)) append(track, kFirstOfAccessUnit);
  }
  std::vector<uint64_t> frames(Bytes bytes, std::vector<int> *channels = nullptr) {
    std::vector<uint64_t> found;
    for (; bytes.size() >= entry_bytes; bytes = bytes.subspan(entry_bytes)) {
      ByteVector packet(bytes.begin() + kFrameHeaderBytes, bytes.begin() + static_cast<ptrdiff_t>(entry_bytes));
      uint64_t sequence = 0;
      while (sequence < head() && packet != packet_of(sequence, packet.size())) sequence++;
      found.push_back(sequence);
      if (channels != nullptr) channels->push_back(bytes[1]);
    }
    EXPECT_TRUE(bytes.empty());
    return found;
  }
};

TEST_F(WholeUnitsTest, CompletesWhatWasBegunAndGoesOnWithTheNewestRandomAccessUnit) {
  append(0, kFirstOfAccessUnit | kRandomAccess);
  append(1, kFirstOfAccessUnit);
  WholeUnits units(3, 2);
  units.note_sent();  // up to here
  append(0, 0);       // 2: rest of 0
  append(0, kRtcp);   // 3
  append(1, 0);       // 4: rest of 1
  append(0, kMarker); // 5: rest of 0
  append(1, kFirstOfAccessUnit);
  fill();
  uint64_t target = append(0, kFirstOfAccessUnit | kRandomAccess);
  auto skip = units.skip(ring.reader, 2, kChannels, kRoom);
  ASSERT_TRUE(skip.has_value()) << skip.error().message;
  EXPECT_EQ(skip->target, target);
  std::vector<int> channels;
  EXPECT_THAT(frames(skip->rest, &channels), ElementsAre(2, 4, 5));
  EXPECT_THAT(channels, ElementsAre(4, 8, 4));
  EXPECT_EQ(skip->rest_entries, 3u);
  EXPECT_EQ(skip->left_out, target - 2 - 3);
  EXPECT_TRUE(skip->new_gap);
  EXPECT_FALSE(units.waits());
}

TEST_F(WholeUnitsTest, OtherTracksGoOnWithTheBeginningOfAUnit) {
  append(1, kFirstOfAccessUnit);
  append(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits units(3, 2);
  fill();
  append(1, kFirstOfAccessUnit);
  uint64_t target = append(0, kFirstOfAccessUnit | kRandomAccess);
  uint64_t tail = append(1, 0), report = append(1, kRtcp), next = append(1, kFirstOfAccessUnit);
  ASSERT_EQ(units.skip(ring.reader, 0, kChannels, kRoom)->target, target);
  EXPECT_FALSE(units.all_pass());
  EXPECT_EQ(units.settled_until(ring.reader, target, head()), next);
  EXPECT_TRUE(units.passes(*ring.reader.entry(target)));
  EXPECT_FALSE(units.passes(*ring.reader.entry(tail)));
  EXPECT_TRUE(units.passes(*ring.reader.entry(report)));
  EXPECT_EQ(units.settled_until(ring.reader, next, head()), head());
  EXPECT_TRUE(units.passes(*ring.reader.entry(next)));
  EXPECT_TRUE(units.all_pass());
}

TEST_F(WholeUnitsTest, AUnitThatLastsBeyondTheTargetGoesOnThere) {
  append(0, kFirstOfAccessUnit | kRandomAccess);
  append(1, kFirstOfAccessUnit);
  WholeUnits units(3, 2);
  units.note_sent();
  append(1, 0); // 2
  fill();
  uint64_t target = append(0, kFirstOfAccessUnit | kRandomAccess);
  uint64_t tail = append(1, 0);
  auto skip = units.skip(ring.reader, 2, kChannels, kRoom);
  EXPECT_EQ(skip->target, target);
  EXPECT_THAT(frames(skip->rest), ElementsAre(2));
  EXPECT_TRUE(units.passes(*ring.reader.entry(tail)));
}

TEST_F(WholeUnitsTest, WaitsForTheNextRandomAccessPointWhereTheNewestIsBehind) {
  append(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits units(1, 1);
  units.note_sent();
  append(0, kMarker);
  fill();
  auto skip = units.skip(ring.reader, 1, kChannels, kRoom);
  EXPECT_THAT(frames(skip->rest), ElementsAre(1));
  EXPECT_EQ(skip->target, head());
  EXPECT_TRUE(units.waits());
  uint64_t cursor = skip->target;
  append(0, kFirstOfAccessUnit);
  EXPECT_FALSE(units.can_go_on(ring.reader, cursor));
  uint64_t next = append(0, kFirstOfAccessUnit | kRandomAccess);
  ASSERT_TRUE(units.can_go_on(ring.reader, cursor));
  auto second = units.skip(ring.reader, cursor, kChannels, kRoom);
  EXPECT_EQ(second->target, next);
  EXPECT_EQ(second->left_out, 1u);
  EXPECT_FALSE(second->new_gap); // nothing was sent between
  EXPECT_FALSE(units.waits());
}

TEST_F(WholeUnitsTest, WithoutRandomAccessPointsGoesOnAtTheHeadWithAUnitsBeginning) {
  append(0, kFirstOfAccessUnit);
  WholeUnits units(1, 1);
  fill();
  append(0, kFirstOfAccessUnit);
  auto skip = units.skip(ring.reader, 0, kChannels, kRoom);
  EXPECT_EQ(skip->target, head());
  EXPECT_FALSE(units.waits());
  uint64_t tail = append(0, 0), next = append(0, kFirstOfAccessUnit);
  EXPECT_EQ(units.settled_until(ring.reader, tail, head()), next);
  EXPECT_FALSE(units.passes(*ring.reader.entry(tail)));
}

TEST_F(WholeUnitsTest, WhatIsTornEndsTheSession) {
  append(0, kFirstOfAccessUnit | kRandomAccess);
  append(0, 0);
  WholeUnits begun(1, 1), nothing_sent(1, 1);
  begun.note_sent();
  while (ring.reader.oldest() < 2) append(0, kFirstOfAccessUnit);
  append(0, kFirstOfAccessUnit | kRandomAccess);
  EXPECT_THAT(begun.skip(ring.reader, 1, kChannels, kRoom).error().message, HasSubstr("in the midst"));
  EXPECT_EQ(nothing_sent.skip(ring.reader, 0, kChannels, kRoom)->target, head() - 1);
}

TEST_F(WholeUnitsTest, ARestThatFitsNoBufferEndsTheSession) {
  append(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits units(1, 1);
  units.note_sent();
  for (int i = 0; i < 20; i++) append(0, 0);
  fill();
  append(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits enough = units;
  EXPECT_THAT(units.skip(ring.reader, 1, kChannels, 19'999).error().message, HasSubstr("does not fit"));
  EXPECT_EQ(enough.skip(ring.reader, 1, kChannels, 20'000)->rest.size(), 20'000u);
}

TEST_F(WholeUnitsTest, CountsOnlyWhatIsRead) {
  for (int i = 0; i < 5; i++) append(0, kFirstOfAccessUnit | kRandomAccess), append(1, kFirstOfAccessUnit);
  WholeUnits units(2, 2);
  units.note_sent();
  fill();
  uint64_t target = append(0, kFirstOfAccessUnit | kRandomAccess);
  auto skip = units.skip(ring.reader, 2, kChannels, kRoom);
  EXPECT_EQ(skip->target, target);
  EXPECT_EQ(skip->left_out, 4u);
}

TEST_F(WholeUnitsTest, BeginsWithWholeUnitsAndTracksThatNeverSpokeAreNotAwaited) {
  append(1, kFirstOfAccessUnit);
  uint64_t start = append(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits units(7, 3); // track 2 has had no traffic
  units.begin_at(ring.reader, start);
  EXPECT_FALSE(units.passes(1, false));
  EXPECT_TRUE(units.passes(2, false));
  append(1, 0);
  uint64_t next = append(1, kFirstOfAccessUnit);
  EXPECT_EQ(units.settled_until(ring.reader, start, head()), next);
  units.settled_until(ring.reader, next, head());
  EXPECT_TRUE(units.all_pass());
  EXPECT_FALSE(units.in_recovery());
}

TEST_F(WholeUnitsTest, ScanningIsBounded) {
  TestRing large(64 << 20);
  auto add = [&](uint8_t track, uint16_t flags) {
    EXPECT_TRUE(large.writer.append({track, flags, 0, 0, 0}, ByteVector(100)));
    large.writer.commit(0);
  };
  add(1, kFirstOfAccessUnit);
  add(0, kFirstOfAccessUnit | kRandomAccess);
  WholeUnits units(3, 2);
  units.note_sent();
  for (uint64_t i = 0; i < WholeUnits::kMaxScan + 10; i++) add(0, kFirstOfAccessUnit);
  add(0, kFirstOfAccessUnit | kRandomAccess);
  large.writer.set_track_state(1, {.has_traffic = true});
  auto skip = units.skip(large.reader, 2, kChannels, kRoom);
  EXPECT_EQ(skip->rest_entries, 0u);
  EXPECT_FALSE(units.passes(1, false)); // it was silent for that long: between units, and some may be lost
}

} // namespace
} // namespace sluice::ring
