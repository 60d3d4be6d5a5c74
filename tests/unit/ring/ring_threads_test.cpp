// A writer and readers at full speed, for ThreadSanitizer and for the checks of every byte that is delivered.

#include "tests/unit/ring/ring_test_support.h"

#include <atomic>
#include <thread>

namespace sluice::ring {
namespace {

struct Delivered {
  uint64_t entries = 0, lost = 0, torn = 0, wrong = 0;
};

void check_entry(const RingReader &reader, uint64_t sequence, MutableBytes buffer, Delivered &delivered) {
  std::optional<EntryInfo> info = reader.entry(sequence);
  std::optional<MutableBytes> bytes = reader.copy(sequence, buffer);
  if (!bytes) {
    delivered.torn++;
    return;
  }
  delivered.entries++;
  if (!equal(*bytes, entry_of(sequence))) delivered.wrong++;
  if (info && info->pts_ns != static_cast<Nanoseconds>(sequence)) delivered.wrong++;
}

// Every entry of the span, from one copy of it that was intact afterwards.
void check_span(const RingReader &reader, const Span &span, ByteVector &buffer, Delivered &delivered) {
  buffer.resize(span.bytes.size());
  if (!reader.copy_at(span.begin_position, buffer)) {
    delivered.torn++;
    return;
  }
  Bytes rest = buffer;
  for (uint64_t sequence = span.first; sequence < span.end; sequence++) {
    ByteVector expected = entry_of(sequence);
    if (rest.size() < expected.size() || !equal(rest.first(expected.size()), expected)) {
      delivered.wrong++;
      return;
    }
    rest = rest.subspan(expected.size());
    delivered.entries++;
  }
  if (!rest.empty()) delivered.wrong++;
}

Delivered read_until_ended(const RingReader &reader, bool by_entry) {
  Delivered delivered;
  uint64_t cursor = 0;
  ByteVector buffer(kMaxEntryBytes), copied;
  for (;;) {
    Span span = reader.span(cursor, by_entry ? 4096 : 100'000);
    if (span.state == Span::State::Ended) return delivered;
    if (span.state == Span::State::Lapped) {
      Resync resync = reader.resync(cursor);
      delivered.lost += resync.lost_entries;
      cursor = resync.cursor;
    } else if (span.state == Span::State::Data) {
      if (!by_entry) check_span(reader, span, copied, delivered);
      for (uint64_t i = span.first; by_entry && i < span.end; i++) check_entry(reader, i, buffer, delivered);
      cursor = span.end;
      std::optional<TrackState> state = reader.track_state(0);
      if (state && (state->packets != state->octets || state->packets != state->lost)) delivered.wrong++;
      std::optional<media::StreamDescription> description = reader.description();
      if (description && *description != description_of(2) && *description != description_of(3)) delivered.wrong++;
    } else {
      std::this_thread::yield();
    }
  }
}

// Reads only what is about to be overwritten.
Delivered read_the_oldest(const RingReader &reader) {
  Delivered delivered;
  ByteVector buffer(kMaxEntryBytes), copied;
  while (reader.state() != RingState::Ended) {
    uint64_t oldest = reader.oldest();
    check_entry(reader, oldest, buffer, delivered);
    Span span = reader.span(oldest + 1, 100'000);
    if (span.state == Span::State::Data) check_span(reader, span, copied, delivered);
  }
  return delivered;
}

TEST(RingThreads, DeliverEveryByteUntornWhileTheWriterRacesAhead) {
  constexpr uint64_t kEntries = 40'000;
  TestRing ring;
  std::array<Delivered, 3> delivered;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 2; i++) threads.emplace_back([&, i] { delivered[i] = read_until_ended(ring.reader, i == 0); });
  threads.emplace_back([&] { delivered[2] = read_the_oldest(ring.reader); });
  while (ring.writer.head() < kEntries) {
    uint64_t batch = 1 + mix(ring.writer.head()) % 8;
    for (uint64_t i = 0; i < batch; i++)
      ASSERT_TRUE(append_next(ring.writer, i == 0 ? kFirstOfAccessUnit | kRandomAccess : 0));
    ring.writer.commit(0);
    uint64_t head = ring.writer.head();
    ring.writer.set_track_state(0, {.packets = head, .octets = head, .lost = head});
    if (head % 64 == 0) {
      ASSERT_TRUE(ring.writer.set_description(description_of(2 + head / 64 % 2)));
    }
    if (head % 16 == 0) std::this_thread::yield();
  }
  uint64_t head = ring.writer.head();
  ring.writer.end();
  for (std::thread &thread : threads) thread.join();
  for (const Delivered &reader : delivered) {
    EXPECT_EQ(reader.wrong, 0u);
    EXPECT_GT(reader.entries, 0u);
  }
  for (size_t i = 0; i < 2; i++) EXPECT_LE(delivered[i].entries + delivered[i].lost, head);
  EXPECT_GT(delivered[2].torn, 0u) << "the run was to have races, and their victims to be told";
}

TEST(RingThreads, LoseNothingWhereReadersKeepUp) {
  TestRing ring;
  std::array<std::atomic<uint64_t>, 3> cursors{};
  std::array<Delivered, 3> delivered;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < cursors.size(); i++) {
    threads.emplace_back([&, i] {
      ByteVector buffer;
      for (uint64_t cursor = 0;;) {
        Span span = ring.reader.span(cursor, SIZE_MAX);
        if (span.state == Span::State::Ended) return;
        if (span.state == Span::State::Lapped) delivered[i].lost++;
        if (span.state != Span::State::Data) continue;
        check_span(ring.reader, span, buffer, delivered[i]);
        cursors[i] = cursor = span.end;
      }
    });
  }
  while (ring.writer.head() < 15'000) {
    ASSERT_TRUE(append_next(ring.writer));
    ring.writer.commit(0);
    for (const auto &cursor : cursors)
      while (ring.writer.head() - cursor > 200) std::this_thread::yield();
  }
  ring.writer.end();
  for (std::thread &thread : threads) thread.join();
  for (const Delivered &reader : delivered) {
    EXPECT_EQ(reader.entries, 15'000u);
    EXPECT_EQ(reader.lost + reader.torn + reader.wrong, 0u);
  }
}

} // namespace
} // namespace sluice::ring
