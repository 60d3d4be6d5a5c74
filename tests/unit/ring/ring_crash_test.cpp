// Writers that die: after every single instruction of an append and a commit, and by SIGKILL at random moments
// while readers, which die too, check every byte.

#include "tests/unit/ring/ring_test_support.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <random>

namespace sluice::ring {
namespace {

struct Expected {
  uint64_t head_before, head_after;
  uint64_t input_before, input_after;
};

// Resumes a copy of the memory and goes on: what was committed is there, the batch is there as a whole with its
// input position, or not at all.
void resume_copy(Bytes image, TestMemory &copy, const Expected &expected) {
  std::memcpy(copy.writable.writable().data(), image.data(), image.size());
  Result<RingWriter> writer = RingWriter::resume(copy.writable.writable());
  ASSERT_TRUE(writer) << writer.error().message;
  bool committed = writer->head() == expected.head_after;
  ASSERT_TRUE(committed || writer->head() == expected.head_before);
  if (expected.head_after != expected.head_before) {
    ASSERT_EQ(writer->input_position(), committed ? expected.input_after : expected.input_before);
  }
  RingReader reader = RingReader::create(copy.read_only.bytes()).value();
  ByteVector buffer(kMaxEntryBytes);
  uint64_t head = writer->head();
  ASSERT_GT(head - reader.oldest(), 100u);
  for (uint64_t i = reader.oldest(); i < head; i += i + 20 < head ? 7 : 1) {
    auto entry = reader.copy(i, buffer);
    ASSERT_TRUE(entry && equal(*entry, entry_of(i))) << i;
  }
  for (int i = 0; i < 3; i++) ASSERT_TRUE(append_next(*writer));
  writer->commit(1);
  Span span = reader.span(head, SIZE_MAX);
  ASSERT_EQ(span.end, head + 3);
  ASSERT_TRUE(equal(span.bytes.last(entry_of(head + 2).size()), entry_of(head + 2)));
  ASSERT_EQ(RingWriter::resume(copy.writable.writable())->head(), head + 3);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true; // its instructions are many, and not those of the product
#else
constexpr bool kSanitized = false;
#endif

// Runs `act` in a child, one instruction at a time; `look` is called whenever the first `bytes` of the memory differ
// from before. The child shares the ring's memory.
template <class Act, class Look> int step_through(const Act &act, const Look &look) {
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    act();
    raise(SIGUSR1);
    _exit(1);
  }
  int status = 0, steps = 0;
  waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return 0;
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
    steps++;
    look();
  }
  bool finished = WIFSTOPPED(status) && WSTOPSIG(status) == SIGUSR1;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return finished ? steps : 0;
}

TEST(RingWriter, IsResumedAfterDeathAtAnyInstruction) {
  if (kSanitized) GTEST_SKIP() << "tested in builds without sanitizers";
  TestRing ring;
  for (int i = 0; i < 1200; i++) { // well around
    ASSERT_TRUE(append_next(ring.writer));
    ring.writer.commit(5);
  }
  std::array<ByteVector, 2> packets{packet_of(1200), packet_of(1201)};
  Expected expected{1200, 1202, 5, 6};
  TestMemory copy;
  Bytes memory = ring.read_only.bytes().first(ring_bytes(kMinDataCapacity));
  ByteVector image(memory.begin(), memory.end());
  // What an append of these touches, to see quickly whether anything changed: all of the header's words in use, the
  // slots, and the data at the writer's place.
  uint64_t place = ring.reader.entry(1199)->position;
  size_t watched_slots = slot_count(kMinDataCapacity) * sizeof(EntrySlot);
  int looks = 0;
  auto differs = [&](size_t offset, size_t size) {
    size = std::min(size, memory.size() - offset);
    return std::memcmp(memory.data() + offset, image.data() + offset, size) != 0;
  };
  auto look = [&] {
    size_t at = data_offset(kMinDataCapacity) + (place & (kMinDataCapacity - 1));
    if (!differs(0, 512) && !differs(kHeaderBytes, watched_slots) && !differs(at, 8192)) return;
    image.assign(memory.begin(), memory.end());
    looks++;
    if (!testing::Test::HasFatalFailure()) resume_copy(image, copy, expected);
  };
  int steps = step_through(
      [&] {
        for (uint64_t i = 0; i < 2; i++)
          if (!ring.writer.append({track_of(1200 + i), kFlush, static_cast<Nanoseconds>(1200 + i)}, packets[i]))
            _exit(2);
        ring.writer.commit(6);
      },
      look);
  if (steps == 0) GTEST_SKIP() << "no ptrace here";
  EXPECT_EQ(ring.reader.head(), 1202u);
  EXPECT_GT(looks, 50);
}

TEST(RingWriter, ContinuesAfterDeathAtAnyInstructionOfAReplacement) {
  if (kSanitized) GTEST_SKIP() << "tested in builds without sanitizers";
  TestRing old;
  for (int i = 0; i < 300; i++) {
    ASSERT_TRUE(append_next(old.writer, i == 295 ? kFirstOfAccessUnit | kRandomAccess : 0));
    old.writer.commit(5);
  }
  TestMemory next(2 * kMinDataCapacity), old_copy, next_copy(2 * kMinDataCapacity);
  ASSERT_TRUE(RingWriter::format(next.writable.writable(), parameters_of(1)));
  Bytes memory = next.read_only.bytes().first(ring_bytes(2 * kMinDataCapacity));
  ByteVector image(memory.begin(), memory.begin() + offsetof(RingHeader, descriptions));
  RingState old_state = RingState::Live;
  int looks = 0;
  auto look = [&] {
    bool changed = std::memcmp(image.data(), memory.data(), image.size()) != 0 || old.reader.state() != old_state;
    if (!changed || testing::Test::HasFatalFailure()) return;
    looks++;
    old_state = old.reader.state();
    image.assign(memory.begin(), memory.begin() + offsetof(RingHeader, descriptions));
    if (looks > 100 && looks % 50 != 0 && old_state == RingState::Live && image[offsetof(RingHeader, state)] != 1)
      return;
    std::memcpy(next_copy.writable.writable().data(), memory.data(), memory.size());
    std::memcpy(old_copy.writable.writable().data(), old.read_only.bytes().data(), ring_bytes(kMinDataCapacity));
    Result<RingWriter> writer = RingWriter::resume(old_copy.writable.writable());
    ASSERT_EQ(writer.has_value(), old_state == RingState::Live);
    writer = writer ? RingWriter::continue_from(next_copy.writable.writable(), *writer)
                    : RingWriter::resume(next_copy.writable.writable());
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_EQ(writer->head(), 300u);
    ASSERT_EQ(writer->input_position(), 5u);
    RingReader reader = RingReader::create(next_copy.read_only.bytes()).value();
    ASSERT_EQ(reader.newest_random_access(), 295u);
    ByteVector buffer(kMaxEntryBytes);
    for (uint64_t i = 295; i < 300; i++) ASSERT_TRUE(equal(reader.copy(i, buffer).value(), entry_of(i)));
  };
  int steps = step_through(
      [&] {
        if (!RingWriter::continue_from(next.writable.writable(), old.writer)) _exit(2);
      },
      look);
  if (steps == 0) GTEST_SKIP() << "no ptrace here";
  EXPECT_EQ(old.reader.state(), RingState::Superseded);
  EXPECT_GT(looks, 20);
}

// --- processes ---

struct Tally {
  alignas(64) std::atomic<uint64_t> entries, lost, wrong, torn;
};

[[noreturn]] void write_forever(const TestMemory &memory) {
  Result<RingWriter> writer = RingWriter::resume(memory.writable.writable());
  if (!writer) {
    std::fprintf(stderr, "%s\n", writer.error().message.c_str());
    _exit(3);
  }
  if (writer->input_position() != writer->head() * 3) _exit(4);
  for (;;) {
    uint64_t batch = 1 + mix(writer->head()) % 4;
    for (uint64_t i = 0; i < batch; i++)
      if (!append_next(*writer, i == 0 ? kFirstOfAccessUnit | kRandomAccess : 0)) _exit(5);
    writer->commit((writer->head() + batch) * 3);
    if (mix(writer->head()) % 16 == 0) sched_yield();
  }
}

// Reads only what is about to be overwritten.
[[noreturn]] void read_the_oldest_forever(const TestMemory &memory, Tally &tally) {
  RingReader reader = RingReader::create(memory.read_only.bytes()).value();
  ByteVector buffer(kMaxEntryBytes);
  for (;;) {
    uint64_t sequence = reader.oldest();
    std::optional<MutableBytes> entry = reader.copy(sequence, buffer);
    if (!entry) {
      tally.torn++;
      continue;
    }
    tally.entries++;
    if (!equal(*entry, entry_of(sequence))) tally.wrong++;
  }
}

[[noreturn]] void read_forever(const TestMemory &memory, Tally &tally, uint64_t &cursor) {
  RingReader reader = RingReader::create(memory.read_only.bytes()).value();
  ByteVector buffer(kMaxEntryBytes);
  for (;;) {
    Span span = reader.span(cursor, 20'000);
    if (span.state == Span::State::Lapped) {
      Resync resync = reader.resync(cursor);
      tally.lost += resync.lost_entries;
      __atomic_store_n(&cursor, resync.cursor, __ATOMIC_RELEASE);
    } else if (span.state == Span::State::Data) {
      for (uint64_t i = span.first; i < span.end; i++) {
        std::optional<MutableBytes> entry = reader.copy(i, buffer);
        if (!entry) {
          tally.torn++;
          continue;
        }
        tally.entries++;
        if (!equal(*entry, entry_of(i))) tally.wrong++;
      }
      __atomic_store_n(&cursor, span.end, __ATOMIC_RELEASE);
    } else {
      sched_yield();
    }
  }
}

// Stops for good a child that is to run forever; says how if it ended by itself.
testing::AssertionResult end_child(pid_t child) {
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "ended with status " << status;
}

TEST(RingProcesses, SurviveSigkillOfWriterAndReadersWithEveryByteChecked) {
  TestMemory memory;
  ASSERT_TRUE(RingWriter::format(memory.writable.writable(), parameters_of()));
  Fd shared = shm::create_memfd("tallies", 4096).value();
  shm::Mapping mapping = shm::Mapping::map(shared.get(), shm::Access::ReadWrite).value();
  auto *tallies = reinterpret_cast<Tally *>(mapping.writable().data());
  auto *cursors = reinterpret_cast<uint64_t *>(mapping.writable().data() + 2048);
  std::array<pid_t, 4> children{};
  auto start = [&](size_t i) {
    pid_t child = fork();
    if (child == 0) {
      if (i == 0) write_forever(memory);
      if (i == 1) read_the_oldest_forever(memory, tallies[i]);
      read_forever(memory, tallies[i], cursors[i]);
    }
    children[i] = child;
  };
  for (size_t i = 0; i < children.size(); i++) start(i);
  std::mt19937 random(3);
  RingReader reader = RingReader::create(memory.read_only.bytes()).value();
  uint64_t committed = 0, kills = 0;
  Nanoseconds until = monotonic_now() + 5 * kSecond;
  while (monotonic_now() < until && kills < 300) {
    usleep(random() % 6000);
    size_t victim = random() % 2 == 0 ? 0 : random() % children.size();
    ASSERT_TRUE(end_child(children[victim]));
    uint64_t head = reader.head();
    EXPECT_GE(head, committed);
    committed = head;
    start(victim);
    kills++;
  }
  for (pid_t child : children) ASSERT_TRUE(end_child(child));
  EXPECT_GT(kills, 10u);
  for (size_t i = 1; i < children.size(); i++) {
    EXPECT_GT(tallies[i].entries, 100u);
    EXPECT_EQ(tallies[i].wrong, 0u);
  }
}

} // namespace
} // namespace sluice::ring
