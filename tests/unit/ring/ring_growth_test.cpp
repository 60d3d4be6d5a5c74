#include "tests/unit/ring/ring_test_support.h"

namespace sluice::ring {
namespace {

constexpr size_t kAll = SIZE_MAX;

// `seconds` of video: 25 access units a second of `unit_bytes` in packets of 1200, a random access unit every `group`.
void write_video(RingWriter &writer, Nanoseconds &now, int units, size_t unit_bytes, int group) {
  ByteVector packet(1200);
  for (int unit = 0; unit < units; unit++) {
    for (size_t bytes = 0; bytes < unit_bytes; bytes += packet.size()) {
      uint16_t flags = bytes > 0 ? 0 : unit % group == 0 ? kFirstOfAccessUnit | kRandomAccess : kFirstOfAccessUnit;
      ASSERT_TRUE(writer.append({0, flags, now, now, now}, packet));
      writer.commit(0);
    }
    now += kSecond / 25;
  }
}

TEST(RingWriter, AsksForRoomForAGroupOfPicturesAndASecond) {
  TestRing ring(1 << 20);
  Nanoseconds now = 100 * kSecond;
  write_video(ring.writer, now, 100, 4800, 25); // 120 KB a second, a group each second
  EXPECT_EQ(ring.writer.wanted_bytes(now, kMaxDataCapacity), 0u);
  write_video(ring.writer, now, 100, 24000, 50); // 600 KB a second, groups of two seconds
  EXPECT_EQ(ring.writer.wanted_bytes(now, kMaxDataCapacity), size_t{4} << 20);
  EXPECT_EQ(ring.writer.wanted_bytes(now, size_t{2} << 20), size_t{2} << 20) << "never above the maximum";
  EXPECT_EQ(ring.writer.wanted_bytes(now, 1 << 20), 0u);
  EXPECT_EQ(RingWriter::resume(ring.writable.writable())->wanted_bytes(now, kMaxDataCapacity), size_t{4} << 20)
      << "a successor finds no random access unit left and takes the whole ring for its group";
}

TEST(RingWriter, CountsOnlyTheLastSecondWhereThereAreNoGroups) {
  TestRing ring(1 << 20);
  ByteVector packet(1200);
  Nanoseconds now = 0;
  for (int i = 0; i < 3000; i++, now += kSecond / 100) {
    ASSERT_TRUE(ring.writer.append({0, 0, now, now, now}, packet));
    ring.writer.commit(0);
  }
  EXPECT_EQ(ring.writer.wanted_bytes(now, kMaxDataCapacity), 0u);
  for (int i = 0; i < 1000; i++)
    ASSERT_TRUE(ring.writer.append({0, 0, now, now, now}, packet) || (ring.writer.commit(0), true));
  ring.writer.commit(0);
  EXPECT_EQ(ring.writer.wanted_bytes(now, kMaxDataCapacity), size_t{2} << 20);
  EXPECT_EQ(ring.writer.wanted_bytes(now + 2 * kSecond, kMaxDataCapacity), 0u);
}

TEST(RingWriter, CountsSlotsWherePacketsAreSmall) {
  TestRing ring(1 << 20); // 2048 slots
  ByteVector packet(40);
  for (int i = 0; i < 1800; i++) {
    ASSERT_TRUE(ring.writer.append({0, 0, 0, 0, kSecond}, packet));
    ring.writer.commit(0);
  }
  EXPECT_EQ(ring.writer.wanted_bytes(kSecond, kMaxDataCapacity), size_t{2} << 20);
}

TEST(RingWriter, KnowsWhatItWouldOverwrite) {
  TestRing ring(1 << 20);
  EXPECT_FALSE(ring.writer.would_overwrite_younger_than(0, kSecond, 1 << 19));
  EXPECT_TRUE(ring.writer.would_overwrite_younger_than(0, kSecond, 1 << 20));
  ByteVector packet(1020);
  for (int i = 0; i < 1000; i++) { // one a millisecond, 1024 bytes each with its frame header
    ASSERT_TRUE(ring.writer.append({0, 0, 0, 0, i * kMillisecond}, packet));
    ring.writer.commit(0);
  }
  Nanoseconds now = kSecond;
  EXPECT_FALSE(ring.writer.would_overwrite_younger_than(now, 2 * kSecond, 24 * 1024)) << "there is room";
  EXPECT_TRUE(ring.writer.would_overwrite_younger_than(now, 2 * kSecond, 25 * 1024));
  EXPECT_FALSE(ring.writer.would_overwrite_younger_than(now, 900 * kMillisecond, 24 * 1024 + 100 * 1024));
  EXPECT_TRUE(ring.writer.would_overwrite_younger_than(now, 900 * kMillisecond, 24 * 1024 + 102 * 1024));
}

TEST(RingWriter, ContinuesInABiggerRingWithNothingLost) {
  TestRing old;
  TestMemory memory(4 * kMinDataCapacity);
  ASSERT_TRUE(RingWriter::format(memory.writable.writable(), parameters_of(1)));
  RingReader next_reader = RingReader::create(memory.read_only.bytes()).value();
  EXPECT_FALSE(RingWriter::resume(memory.writable.writable())) << "waits for its predecessor";
  EXPECT_EQ(next_reader.span(0, kAll).state, Span::State::Empty);

  for (uint64_t i = 0; i < 2000; i++) {
    ASSERT_TRUE(append_next(old.writer, i == 1900 ? kFirstOfAccessUnit | kRandomAccess : 0));
    old.writer.commit(i * 3);
  }
  TrackState state{.ssrc = 4, .packets = 2000};
  old.writer.set_track_state(1, state);
  ASSERT_TRUE(old.writer.set_description(description_of(3)));
  uint64_t cursor = 1800;

  RingWriter next = RingWriter::continue_from(memory.writable.writable(), old.writer).value();
  EXPECT_EQ(next.head(), 2000u);
  EXPECT_EQ(next.input_position(), 1999u * 3);
  EXPECT_EQ(next_reader.newest_random_access(), 1900u) << "who starts with a picture can do so at once";
  EXPECT_EQ(next_reader.track_state(1), state);
  EXPECT_EQ(next_reader.description(), description_of(3));
  for (uint64_t i = 2000; i < 2500; i++) {
    ASSERT_TRUE(append_next(next));
    next.commit(0);
  }

  Span span = old.reader.span(cursor, kAll);
  ASSERT_EQ(span.state, Span::State::Data);
  EXPECT_EQ(span.end, 2000u);
  uint64_t position = span.end_position;
  EXPECT_EQ(old.reader.span(2000, kAll).state, Span::State::Superseded);
  span = next_reader.span(2000, kAll);
  ASSERT_EQ(span.state, Span::State::Data);
  EXPECT_EQ(span.begin_position, position);
  EXPECT_EQ(span.end, 2500u);
  ByteVector buffer(kMaxEntryBytes);
  for (uint64_t i = 1900; i < 2500; i++) ASSERT_TRUE(equal(next_reader.copy(i, buffer).value(), entry_of(i)));
}

TEST(RingReader, IsInDangerNoMoreOnceTheWriterHasLeftTheRing) {
  TestRing old;
  while (old.reader.safe(0)) {
    ASSERT_TRUE(append_next(old.writer));
    old.writer.commit(0);
  }
  EXPECT_TRUE(old.reader.endangered(0));
  EXPECT_FALSE(old.reader.endangered(old.reader.span(1, kAll).end_position));

  TestMemory memory(2 * kMinDataCapacity);
  ASSERT_TRUE(RingWriter::format(memory.writable.writable(), parameters_of(1)));
  ASSERT_TRUE(RingWriter::continue_from(memory.writable.writable(), old.writer));
  EXPECT_FALSE(old.reader.safe(0));
  EXPECT_FALSE(old.reader.endangered(0)) << "all of it can still be sent";
}

TEST(RingWriter, ContinuesWithoutAPictureWhereThereIsNone) {
  TestRing old;
  for (uint64_t i = 0; i < 50; i++) {
    ASSERT_TRUE(append_next(old.writer));
    old.writer.commit(i);
  }
  TestMemory memory(2 * kMinDataCapacity);
  ASSERT_TRUE(RingWriter::format(memory.writable.writable(), parameters_of(1)));
  RingWriter next = RingWriter::continue_from(memory.writable.writable(), old.writer).value();
  RingReader reader = RingReader::create(memory.read_only.bytes()).value();
  EXPECT_EQ(next.input_position(), 49u);
  EXPECT_FALSE(reader.newest_random_access());
  EXPECT_EQ(reader.span(49, kAll).state, Span::State::Lapped);
  EXPECT_EQ(reader.span(50, kAll).state, Span::State::Empty);
  EXPECT_TRUE(RingWriter::resume(memory.writable.writable()));
  ASSERT_TRUE(append_next(next));
  next.commit(60);
  EXPECT_TRUE(equal(reader.span(50, kAll).bytes, entry_of(50)));
}

TEST(RingWriter, ContinuesOnlyIntoTheNextGenerationOfItsStream) {
  TestRing old;
  TestMemory other(2 * kMinDataCapacity);
  RingParameters parameters = parameters_of(1);
  parameters.stream++;
  ASSERT_TRUE(RingWriter::format(other.writable.writable(), parameters));
  EXPECT_FALSE(RingWriter::continue_from(other.writable.writable(), old.writer));
  TestRing same(2 * kMinDataCapacity);
  EXPECT_FALSE(RingWriter::continue_from(same.writable.writable(), old.writer));
  EXPECT_EQ(old.reader.state(), RingState::Live);
}

} // namespace
} // namespace sluice::ring
