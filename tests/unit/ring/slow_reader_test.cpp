// A reader of random speed, over a socket that takes random amounts, as the workers' readers do it: whatever it loses,
// what arrives is made of whole access units.
#include "ipc/ring/whole_units.h"
#include "ring_test_support.h"

#include <random>

namespace sluice::ring {
namespace {

constexpr size_t kOutputBytes = 256 * 1024;
constexpr uint64_t kNeverOvertaken = 120; // packets between two looks at the smallest ring

struct Written {
  uint8_t track = 0;
  bool rtcp = false, first = false, last = false, random_access = false;
  size_t bytes = 0;
};

struct Stream {
  Stream(uint64_t seed, size_t count, bool with_random_access)
      : random(seed), tracks(count), has_random_access(with_random_access),
        ring(kMinDataCapacity, {.stream = 77, .generation = 0, .ring_index = 5, .description = description_of(count)}),
        left_of_unit(count, 0) {}

  uint64_t below(uint64_t limit) { return random() % limit; }

  void append(uint8_t track, uint16_t flags, bool last) {
    uint64_t sequence = written.size();
    bool rtcp = (flags & kRtcp) != 0;
    size_t bytes = rtcp ? 28 : 20 + below(1400);
    if (!rtcp) ring.writer.set_track_state(track, {.has_traffic = true});
    ASSERT_TRUE(ring.writer.append({track, flags, 0, 0, 0}, packet_of(sequence, bytes)));
    written.push_back({track, rtcp, (flags & kFirstOfAccessUnit) != 0, last, (flags & kRandomAccess) != 0, bytes});
  }
  // One packet of a track, then perhaps some of others, so that units of all tracks lie between each other.
  void write(size_t packets, bool to_the_end = false) {
    for (size_t i = 0; i < packets || to_the_end; i++) {
      if (to_the_end && std::all_of(left_of_unit.begin(), left_of_unit.end(), [](auto left) { return left == 0; }))
        break;
      auto track = static_cast<uint8_t>(below(4) != 0 ? 0 : below(tracks));
      if (to_the_end && left_of_unit[track] == 0) continue;
      if (below(50) == 0) append(track, kRtcp, false);
      uint16_t flags = 0;
      if (left_of_unit[track] == 0) {
        left_of_unit[track] = 1 + below(track == 0 ? 12 : 3);
        flags = kFirstOfAccessUnit;
        if (track == 0 && has_random_access && (written.empty() || below(group) == 0)) flags |= kRandomAccess;
      }
      left_of_unit[track]--;
      append(track, flags, left_of_unit[track] == 0);
      if (below(3) == 0) ring.writer.commit(0);
    }
    ring.writer.commit(0);
  }

  std::mt19937_64 random;
  size_t tracks;
  bool has_random_access;
  TestRing ring;
  std::vector<uint64_t> left_of_unit; // packets
  std::vector<Written> written;       // by sequence
  uint64_t group = 30;                // pictures, about
};

// As workers/rtsp/reader.cpp does it, with bytes to take instead of a socket.
struct SlowReader {
  SlowReader(Stream &from, uint32_t wanted_tracks)
      : stream(from), ring(from.ring.reader), wanted(wanted_tracks), units(wanted_tracks, from.tracks) {
    for (size_t i = 0; i < media::kMaxTracks; i++) channels[i] = static_cast<uint8_t>(2 * (i + stream.below(3) * 20));
  }

  void take(size_t bytes) {
    size_t from_output = std::min(bytes, output.size());
    received.insert(received.end(), output.begin(), output.begin() + static_cast<ptrdiff_t>(from_output));
    output.erase(output.begin(), output.begin() + static_cast<ptrdiff_t>(from_output));
    room = bytes - from_output;
    for (int i = 0; i < 1000 && output.empty() && room > 0 && !closed; i++)
      if (!serve()) return;
  }
  // In each round, blocked or not.
  void watch() {
    if (closed || cursor >= ring.head()) return;
    auto entry = ring.entry(cursor);
    if (!entry || !ring.safe(entry->position)) skip();
  }

  // False: nothing to do.
  bool serve() {
    if (units.waits()) {
      if (!units.can_go_on(ring, cursor)) return false;
      return skip();
    }
    uint64_t end = units.all_pass() ? ring.head() : units.settled_until(ring, cursor, ring.head());
    Span span = ring.span(cursor, 1 + stream.below(100'000), end);
    if (span.state == Span::State::Lapped) return skip();
    if (span.state != Span::State::Data) return false;
    if (!ring.safe(span.begin_position)) return skip();
    for (; cursor < span.end && room > 0; cursor++) send(*ring.entry(cursor));
    return true;
  }

  void send(const EntryInfo &entry) {
    if (!units.passes(entry)) {
      if (units.wants(entry) && units.in_recovery()) left_out++;
      return;
    }
    ByteVector frame(entry.length);
    ASSERT_TRUE(ring.copy(entry.sequence, frame));
    frame[1] = static_cast<uint8_t>(channels[entry.track] + ((entry.flags & kRtcp) != 0 ? 1 : 0));
    size_t now = std::min(room, frame.size());
    received.insert(received.end(), frame.begin(), frame.begin() + static_cast<ptrdiff_t>(now));
    output.insert(output.end(), frame.begin() + static_cast<ptrdiff_t>(now), frame.end());
    room -= now;
    units.note_sent();
  }

  bool skip() {
    auto skip = units.skip(ring, cursor, channels, kOutputBytes - output.size());
    if (!skip) {
      closed = true;
      return false;
    }
    EXPECT_GE(skip->target, cursor);
    cursor = skip->target;
    left_out += skip->left_out;
    gaps += skip->new_gap;
    output.insert(output.end(), skip->rest.begin(), skip->rest.end());
    return true;
  }

  Stream &stream;
  const RingReader &ring;
  uint32_t wanted;
  WholeUnits units;
  std::array<uint8_t, media::kMaxTracks> channels{};
  uint64_t cursor = 0, left_out = 0, gaps = 0;
  ByteVector output, received;
  size_t room = 0;
  bool closed = false;
};

struct Tally {
  uint64_t gaps = 0, closed = 0, whole_runs = 0, left_out = 0;
};

class SlowReaders : public testing::Test {
protected:
  // What came, as sequences; the very last frame may be cut.
  static std::vector<uint64_t> parse(const Stream &stream, const SlowReader &reader) {
    std::vector<uint64_t> sequences;
    uint64_t next = 0;
    Bytes rest = reader.received;
    while (rest.size() >= kFrameHeaderBytes) {
      EXPECT_EQ(rest[0], '$');
      size_t length = load_be16(&rest[2]);
      if (rest[0] != '$' || rest.size() < kFrameHeaderBytes + length) break;
      ByteVector packet(rest.begin() + kFrameHeaderBytes, rest.begin() + static_cast<ptrdiff_t>(4 + length));
      // The rest of begun units comes before the target, so each track is in order, and so is the whole.
      while (next < stream.written.size() &&
             (stream.written[next].bytes != length || packet != packet_of(next, length)))
        next++;
      if (next == stream.written.size()) {
        ADD_FAILURE() << "a frame that was never written, or out of order";
        return sequences;
      }
      const Written &entry = stream.written[next];
      EXPECT_EQ(rest[1], reader.channels[entry.track] + (entry.rtcp ? 1 : 0));
      EXPECT_TRUE((reader.wanted & 1u << entry.track) != 0);
      sequences.push_back(next++);
      rest = rest.subspan(kFrameHeaderBytes + length);
    }
    return sequences;
  }

  static void check_units(const Stream &stream, const SlowReader &reader, const std::vector<uint64_t> &got) {
    std::vector<bool> have(stream.written.size(), false), open(stream.tracks, false), lost(stream.tracks, false);
    for (uint64_t sequence : got) have[sequence] = true;
    uint64_t end = reader.closed && !got.empty() ? got.back() + 1 : reader.closed ? 0 : reader.cursor;
    for (uint64_t at = 0; at < end; at++) {
      const Written &entry = stream.written[at];
      if (entry.rtcp || (reader.wanted & 1u << entry.track) == 0) continue;
      if (!have[at]) {
        EXPECT_FALSE(open[entry.track]) << "entry " << at << " of a begun unit is missing";
        open[entry.track] = false;
        lost[entry.track] = true;
        continue;
      }
      if (!open[entry.track]) {
        EXPECT_TRUE(entry.first) << "entry " << at << " has no beginning";
        bool resumes = lost[entry.track] && entry.track == 0 && stream.has_random_access;
        EXPECT_TRUE(!resumes || entry.random_access) << "went on at " << at;
      }
      lost[entry.track] = false;
      open[entry.track] = !entry.last;
    }
  }

  // `burst`: packets between two looks of the reader.
  static void run(uint64_t seed, uint64_t burst, Tally &tally) {
    std::mt19937_64 random(seed);
    size_t tracks = 1 + random() % 3;
    Stream stream(seed, tracks, random() % 4 != 0);
    stream.group = 1 + random() % 60;
    uint32_t all = (1u << tracks) - 1, wanted = random() % 3 == 0 ? 1 + random() % all : all;
    SlowReader reader(stream, wanted);
    uint64_t speed = 100 + random() % 130; // of what comes, in percent, with pauses
    for (int i = 0; i < 250 && !reader.closed; i++) {
      size_t packets = random() % burst;
      stream.write(packets);
      reader.watch();
      if (random() % 4 != 0) reader.take(random() % (1 + packets * 7 * speed / 100));
    }
    stream.write(0, true);
    for (int i = 0;
         i < 10'000 && !reader.closed && (reader.cursor < stream.ring.reader.head() || !reader.output.empty()); i++) {
      reader.take(1'000'000);
      if (reader.units.waits()) break;
    }
    std::vector<uint64_t> got = parse(stream, reader);
    check_units(stream, reader, got);
    tally.gaps += reader.gaps;
    tally.left_out += reader.left_out;
    tally.closed += reader.closed;
    if (reader.closed || testing::Test::HasFailure()) return;
    tally.whole_runs++;
    uint64_t of_interest = 0;
    for (uint64_t i = 0; i < reader.cursor; i++) of_interest += (wanted >> stream.written[i].track) & 1;
    bool was_gone = burst > kNeverOvertaken && wanted != all; // what that held can't be known, so all of it counts
    EXPECT_GE(got.size() + reader.left_out, of_interest);
    EXPECT_TRUE(was_gone || got.size() + reader.left_out == of_interest) << reader.left_out;
    EXPECT_EQ(reader.gaps > 0, reader.left_out > 0);
  }
};

#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

TEST_F(SlowReaders, GetWholeUnitsOnly) {
  if (kThreadSanitizer) GTEST_SKIP() << "one thread: takes minutes there and shows nothing more";
  Tally tally;
  for (uint64_t seed = 0; seed < 120 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run(seed, kNeverOvertaken, tally);
  }
  EXPECT_EQ(tally.closed, 0u);
  EXPECT_GT(tally.gaps, 200u);
  EXPECT_GT(tally.left_out, tally.gaps);
}

TEST_F(SlowReaders, EndWhereTheRestOfAUnitIsGone) {
  if (kThreadSanitizer) GTEST_SKIP() << "one thread: takes minutes there and shows nothing more";
  Tally tally;
  for (uint64_t seed = 1000; seed < 1100 && !HasFailure(); seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run(seed, 250, tally); // up to a third of the ring in between
  }
  EXPECT_GT(tally.closed, 10u);
  EXPECT_GT(tally.whole_runs, 10u) << tally.closed;
}

} // namespace
} // namespace sluice::ring
