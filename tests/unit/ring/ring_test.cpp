#include "ipc/ring/ring_subscribers.h"
#include "tests/unit/ring/ring_test_support.h"

namespace sluice::ring {
namespace {

constexpr size_t kAll = SIZE_MAX;

void append_and_commit(RingWriter &writer, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ASSERT_TRUE(append_next(writer));
    writer.commit(writer.head() + 1);
  }
}

TEST(RingLayout, SizesHaveOneInverse) {
  for (size_t capacity = kMinDataCapacity; capacity <= kMaxDataCapacity; capacity *= 2) {
    EXPECT_EQ(data_capacity_of(ring_bytes(capacity)), capacity);
    EXPECT_EQ(data_capacity_of(ring_bytes(capacity) + kAlignment), std::nullopt);
    EXPECT_EQ(data_capacity_of(ring_bytes(capacity) - 1), std::nullopt);
    EXPECT_EQ(data_offset(capacity) % kAlignment, 0u);
  }
  EXPECT_EQ(data_capacity_of(0), std::nullopt);
  EXPECT_EQ(data_capacity_of(kHeaderBytes + 1), std::nullopt);
  EXPECT_EQ(data_capacity_for(1), kMinDataCapacity);
  EXPECT_EQ(data_capacity_for((1 << 20) + 1), size_t{2} << 20);
  EXPECT_EQ(data_capacity_for(SIZE_MAX), kMaxDataCapacity);
}

TEST(RingWriter, ShowsNothingBeforeCommitAndAllOfABatchAfter) {
  TestRing ring;
  for (int i = 0; i < 5; i++) ASSERT_TRUE(append_next(ring.writer));
  EXPECT_EQ(ring.reader.head(), 0u);
  EXPECT_EQ(ring.reader.span(0, kAll).state, Span::State::Empty);
  EXPECT_FALSE(ring.reader.entry(0));
  ring.writer.commit(99);
  EXPECT_EQ(ring.reader.head(), 5u);
  EXPECT_EQ(ring.reader.entry(4)->input_position, 99u);
  EXPECT_EQ(ring.writer.input_position(), 99u);
}

TEST(RingReader, GetsARunOfEntriesReadyForTheWire) {
  TestRing ring;
  append_and_commit(ring.writer, 20);
  ByteVector expected;
  for (uint64_t i = 3; i < 20; i++) {
    ByteVector entry = entry_of(i);
    expected.insert(expected.end(), entry.begin(), entry.end());
  }
  Span span = ring.reader.span(3, kAll);
  ASSERT_EQ(span.state, Span::State::Data);
  EXPECT_EQ(span.first, 3u);
  EXPECT_EQ(span.end, 20u);
  EXPECT_EQ(span.end_position - span.begin_position, span.bytes.size());
  EXPECT_TRUE(equal(span.bytes, expected));
  EXPECT_TRUE(ring.reader.safe(span.begin_position));
  EXPECT_TRUE(ring.reader.intact(span.begin_position));
  EXPECT_EQ(ring.reader.span(20, kAll).state, Span::State::Empty);
}

TEST(RingReader, KeepsToTheLimitsOfASpan) {
  TestRing ring;
  append_and_commit(ring.writer, 30);
  EXPECT_EQ(ring.reader.span(3, kAll, 10).end, 10u);
  EXPECT_EQ(ring.reader.span(10, kAll, 10).state, Span::State::Empty);
  EXPECT_EQ(ring.reader.span(3, 1).end, 4u) << "at least one entry";
  size_t bytes = 0;
  for (uint64_t end = 4; end <= 30; end++) {
    bytes += entry_of(end - 1).size();
    EXPECT_EQ(ring.reader.span(3, bytes).end, end);
    EXPECT_EQ(ring.reader.span(3, bytes).bytes.size(), bytes);
    EXPECT_EQ(ring.reader.span(3, bytes + 1).end, end);
  }
}

TEST(RingReader, SeesRunsAcrossTheEndOfTheDataInOnePiece) {
  TestRing ring;
  uint64_t crossings = 0;
  for (uint64_t i = 0; i < 3000; i++) {
    append_and_commit(ring.writer, 1);
    Span span = ring.reader.span(i, kAll);
    ASSERT_EQ(span.state, Span::State::Data);
    ASSERT_TRUE(equal(span.bytes, entry_of(i)));
    if (span.begin_position / kMinDataCapacity != span.end_position / kMinDataCapacity) crossings++;
  }
  EXPECT_GE(crossings, 3u);
}

TEST(RingReader, CopiesAnEntryWithItsDescriptor) {
  TestRing ring;
  ByteVector head = packet_of(1, 12), rest = packet_of(2, 333), all = head;
  all.insert(all.end(), rest.begin(), rest.end());
  ASSERT_TRUE(ring.writer.append({1, kRtcp | kMarker, -5, -6, 7}, head, rest));
  ring.writer.commit(11);
  std::optional<EntryInfo> info = ring.reader.entry(0);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->track, 1);
  EXPECT_EQ(info->flags, kRtcp | kMarker);
  EXPECT_EQ(info->pts_ns, -5);
  EXPECT_EQ(info->dts_ns, -6);
  EXPECT_EQ(info->arrival_ns, 7);
  ByteVector buffer(kMaxEntryBytes);
  EXPECT_TRUE(equal(ring.reader.copy(0, buffer).value(), framed(1, all, true)));
  EXPECT_FALSE(ring.reader.copy(0, MutableBytes(buffer).first(100)));
  EXPECT_FALSE(ring.reader.copy(1, buffer));
  ByteVector middle(50);
  EXPECT_TRUE(ring.reader.copy_at(20, middle));
  EXPECT_TRUE(equal(middle, Bytes(framed(1, all, true)).subspan(20, 50)));
  EXPECT_FALSE(ring.reader.copy_at(300, middle)) << "beyond what is committed";
}

TEST(RingWriter, RefusesPacketsWithoutAFrame) {
  TestRing ring;
  EXPECT_FALSE(ring.writer.append({}, {}));
  EXPECT_FALSE(ring.writer.append({}, ByteVector(kMaxPacketBytes + 1)));
  EXPECT_EQ(ring.writer.staged_entries(), 0u);
  ByteVector largest = packet_of(0, kMaxPacketBytes);
  EXPECT_TRUE(ring.writer.append({}, largest));
  ring.writer.commit(0);
  EXPECT_TRUE(equal(ring.reader.span(0, kAll).bytes, framed(0, largest)));
}

TEST(RingWriter, BoundsABatchToHalfOfTheRing) {
  TestRing ring;
  append_and_commit(ring.writer, 500);
  size_t bytes = 0;
  while (append_next(ring.writer)) bytes += entry_of(500 + ring.writer.staged_entries() - 1).size();
  EXPECT_LE(bytes, kMinDataCapacity / 2);
  EXPECT_GT(bytes, kMinDataCapacity / 2 - 2000);
  ByteVector buffer(kMaxEntryBytes);
  EXPECT_TRUE(equal(ring.reader.copy(499, buffer).value(), entry_of(499)));
  ring.writer.commit(0);
  size_t small = 0;
  while (ring.writer.append({}, ByteVector(1))) small++;
  EXPECT_EQ(small, slot_count(kMinDataCapacity) / 2);
}

TEST(RingReader, SkipsToNewestKeyframeWhenLapped) {
  TestRing ring;
  uint64_t keyframe = 0;
  for (uint64_t i = 0; i < 2000; i++) {
    bool first = i % 200 == 0;
    if (first) keyframe = i;
    ByteVector packet = packet_of(i);
    ASSERT_TRUE(ring.writer.append({0, static_cast<uint16_t>(first ? kFirstOfAccessUnit | kRandomAccess : 0)}, packet));
    ring.writer.commit(0);
  }
  EXPECT_EQ(ring.reader.span(5, kAll).state, Span::State::Lapped);
  EXPECT_FALSE(ring.reader.entry(5));
  Resync resync = ring.reader.resync(5);
  EXPECT_EQ(resync.cursor, keyframe);
  EXPECT_EQ(resync.lost_entries, keyframe - 5);
  EXPECT_EQ(ring.reader.span(resync.cursor, kAll).state, Span::State::Data);
  for (uint64_t i = 0; i < 2000; i++) append_and_commit(ring.writer, 1);
  EXPECT_FALSE(ring.reader.newest_random_access());
  EXPECT_EQ(ring.reader.resync(5).cursor, 4000u);
}

TEST(RingReader, FindsWhatArrivedAfterATime) {
  TestRing ring;
  for (Nanoseconds arrival : {10, 10, 20, 30, 30, 30, 40}) append_next(ring.writer, 0, arrival);
  ring.writer.commit(0);
  auto first_after = [&](Nanoseconds time) { return ring.reader.first_after(time, 0, 7); };
  EXPECT_EQ(first_after(9), 0u);
  EXPECT_EQ(first_after(10), 2u);
  EXPECT_EQ(first_after(29), 3u);
  EXPECT_EQ(first_after(30), 6u);
  EXPECT_EQ(first_after(40), 7u);
  EXPECT_EQ(ring.reader.first_after(30, 2, 5), 5u);
}

TEST(RingReader, FindsItsWayBackFromBeyondTheHead) {
  TestRing ring;
  append_and_commit(ring.writer, 3);
  EXPECT_EQ(ring.reader.span(10, kAll).state, Span::State::Lapped);
  Resync resync = ring.reader.resync(10);
  EXPECT_EQ(resync.cursor, 3u);
  EXPECT_EQ(resync.lost_entries, 0u);
}

TEST(RingReader, WarnsAQuarterOfTheRingAhead) {
  TestRing ring;
  append_and_commit(ring.writer, 1);
  uint64_t written = entry_of(0).size();
  for (uint64_t i = 1; ring.reader.safe(0); i++) {
    append_and_commit(ring.writer, 1);
    written += entry_of(i).size();
    ASSERT_LT(i, 2000u);
  }
  EXPECT_GT(written, kMinDataCapacity / 4 * 3);
  EXPECT_LT(written, kMinDataCapacity / 4 * 3 + 2000);
  EXPECT_TRUE(ring.reader.intact(0));
  EXPECT_EQ(ring.reader.span(0, kAll).state, Span::State::Data);
  append_and_commit(ring.writer, 400);
  EXPECT_FALSE(ring.reader.intact(0));
}

TEST(RingReader, SeesTornBytesBeforeTheyAreCommitted) {
  TestRing ring;
  while (ring.reader.span(0, kAll).bytes.size() < kMinDataCapacity - 2000) append_and_commit(ring.writer, 1);
  Span span = ring.reader.span(0, kAll);
  ASSERT_TRUE(ring.reader.intact(span.begin_position));
  ASSERT_TRUE(ring.writer.append({}, ByteVector(3000)));
  EXPECT_FALSE(ring.reader.intact(span.begin_position));
  EXPECT_FALSE(ring.reader.entry(0));
}

TEST(RingWriter, NamesTheFirstEntryOfARandomAccessUnit) {
  TestRing ring;
  EXPECT_FALSE(ring.reader.newest_random_access());
  append_and_commit(ring.writer, 4);
  ByteVector packet(100);
  ASSERT_TRUE(ring.writer.append({0, kFirstOfAccessUnit}, packet)); // 4: parameter sets, say
  ASSERT_TRUE(ring.writer.append({1, kFirstOfAccessUnit}, packet)); // another track in between
  ring.writer.commit(0);
  EXPECT_FALSE(ring.reader.newest_random_access());
  ASSERT_TRUE(ring.writer.append({0, kRandomAccess}, packet));
  EXPECT_FALSE(ring.reader.newest_random_access()) << "not committed";
  ring.writer.commit(0);
  EXPECT_EQ(ring.reader.newest_random_access(), 4u);
  ASSERT_TRUE(ring.writer.append({0, kRandomAccess}, packet));
  ring.writer.commit(0);
  EXPECT_EQ(ring.reader.newest_random_access(), 4u);
}

TEST(RingWriter, MovesFlushOnlyWithAFlaggedBatch) {
  TestRing ring;
  ASSERT_TRUE(append_next(ring.writer));
  ring.writer.commit(0);
  EXPECT_EQ(ring.reader.flush(), 0u);
  ASSERT_TRUE(append_next(ring.writer, kFlush));
  ASSERT_TRUE(append_next(ring.writer));
  EXPECT_EQ(ring.reader.flush(), 0u);
  ring.writer.commit(0);
  EXPECT_EQ(ring.reader.flush(), 3u);
  ASSERT_TRUE(append_next(ring.writer));
  ring.writer.commit(0);
  EXPECT_EQ(ring.reader.flush(), 3u);
}

TEST(RingWriter, CountsInputThatBringsNoEntries) {
  TestRing ring;
  ring.writer.commit(10);
  EXPECT_EQ(RingWriter::resume(ring.writable.writable())->input_position(), 10u);
  ASSERT_TRUE(append_next(ring.writer));
  ring.writer.commit(20);
  ring.writer.commit(25);
  EXPECT_EQ(RingWriter::resume(ring.writable.writable())->input_position(), 25u);
  ring.writer.commit(0); // another session goes on with the stream
  EXPECT_EQ(RingWriter::resume(ring.writable.writable())->input_position(), 0u);
}

TEST(RingWriter, DescribesTheStreamAndItsTracks) {
  TestRing ring;
  EXPECT_EQ(ring.reader.stream(), 77u);
  EXPECT_EQ(ring.reader.ring_index(), 5u);
  EXPECT_EQ(ring.reader.description(), description_of(2));
  uint64_t version = ring.reader.description_version();
  ASSERT_TRUE(ring.writer.set_description(description_of(16)));
  EXPECT_EQ(ring.reader.description(), description_of(16));
  EXPECT_NE(ring.reader.description_version(), version);
  media::StreamDescription huge = description_of(1);
  huge.tracks[0].fmtp = std::string(kMaxDescriptionBytes, 'x');
  EXPECT_FALSE(ring.writer.set_description(huge));
  EXPECT_EQ(ring.reader.description(), description_of(16));

  TrackState state{.ssrc = 0xfedcba98,
                   .has_traffic = true,
                   .first_rtp_sequence = 65535,
                   .last_rtp_sequence = 65534,
                   .last_rtp_timestamp = 0xffffffff,
                   .has_clock = true,
                   .clock_rtp_timestamp = 0x80000001,
                   .clock_arrival_ns = -1,
                   .clock_wall_ns = 1700000000'000000000,
                   .packets = 5,
                   .octets = 6,
                   .lost = 7,
                   .has_publisher_clock = true,
                   .publisher_rtp_timestamp = 0x80000002,
                   .publisher_ntp = 0xfffffffe'fffffffd,
                   .publisher_arrival_ns = -2};
  ring.writer.set_track_state(15, state);
  EXPECT_EQ(ring.reader.track_state(15), state);
  EXPECT_EQ(ring.writer.track_state(15), state);
  EXPECT_EQ(ring.reader.track_state(0), TrackState{});
  EXPECT_FALSE(ring.reader.track_state(16));
}

TEST(RingReader, IsToldTheEndOnlyAfterTheLastEntry) {
  TestRing ring;
  append_and_commit(ring.writer, 2);
  ring.writer.end();
  EXPECT_EQ(ring.reader.span(1, kAll).state, Span::State::Data);
  EXPECT_EQ(ring.reader.span(2, kAll).state, Span::State::Ended);
  EXPECT_FALSE(RingWriter::resume(ring.writable.writable()));
}

TEST(RingWriter, TellsItsSubscribers) {
  TestRing ring;
  subscribe(ring.writable.writable(), 0);
  subscribe(ring.writable.writable(), 63);
  subscribe(ring.writable.writable(), 63);
  EXPECT_EQ(ring.writer.subscribers(), uint64_t{1} << 63 | 1);
  unsubscribe(ring.writable.writable(), 0);
  EXPECT_EQ(ring.writer.subscribers(), uint64_t{1} << 63);
  TestMemory next(kMinDataCapacity * 2);
  copy_subscribers(ring.writable.writable(), next.writable.writable());
  EXPECT_EQ(next.header().subscribers[0], uint64_t{1} << 63);
}

TEST(RingWriter, FormatsOnlyFreshMemoryWithSoundParameters) {
  TestMemory memory;
  MutableBytes bytes = memory.writable.writable();
  EXPECT_FALSE(RingReader::create(bytes));
  EXPECT_FALSE(RingWriter::resume(bytes));
  EXPECT_FALSE(RingWriter::format(bytes.first(bytes.size() - kAlignment), parameters_of()));
  RingParameters bad = parameters_of();
  bad.ring_index = kMaxRings;
  EXPECT_FALSE(RingWriter::format(bytes, bad));
  bad = parameters_of();
  bad.description.tracks.clear();
  EXPECT_FALSE(RingWriter::format(bytes, bad));
  EXPECT_TRUE(RingWriter::format(bytes, parameters_of()));
  EXPECT_FALSE(RingWriter::format(bytes, parameters_of()));
  EXPECT_TRUE(RingReader::create(bytes));
}

} // namespace
} // namespace sluice::ring
