// The media ring across two processes: bench_ring [PACKETS]. Writer and reader are pinned to different cores where
// there are two. Prints nanoseconds per packet written and read beside a plain memcpy of the same bytes in the same
// run, and how long a doorbell takes from a commit to the awakened reader.

#include "common/base/check.h"
#include "ipc/ring/ring_reader.h"
#include "ipc/ring/ring_writer.h"
#include "ipc/shm/doorbell_board.h"
#include "ipc/shm/memfd.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace sluice;

namespace {

constexpr size_t kPacketBytes = 1200;
constexpr size_t kCapacity = 4 << 20;
constexpr int kWakeUps = 3000;
constexpr Nanoseconds kPause = 500 * kMicrosecond; // between wake-ups: the reader is asleep again

struct Results {
  uint64_t cursor; // of the reader, so that the writer does not lap it
  double read_ns, span_ns;
  uint64_t latencies[kWakeUps];
};

struct Shared {
  Fd ring_fd = shm::create_memfd("ring", ring::ring_bytes(kCapacity)).value();
  shm::Mapping ring = shm::Mapping::map_ring(ring_fd.get(), shm::Access::ReadWrite).value();
  Fd board_fd = shm::create_memfd("board", shm::DoorbellBoard::bytes()).value();
  shm::DoorbellBoard board = shm::DoorbellBoard::map(board_fd.get()).value();
  Fd results_fd = shm::create_memfd("results", sizeof(Results)).value();
  shm::Mapping results_memory = shm::Mapping::map(results_fd.get(), shm::Access::ReadWrite).value();
  Fd doorbell{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};

  Results &results() const { return *reinterpret_cast<Results *>(results_memory.writable().data()); }
};

void pin(int core) {
  cpu_set_t all, one;
  CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &all) && core-- <= 0) {
      CPU_SET(i, &one);
      sched_setaffinity(0, sizeof(one), &one);
      return;
    }
}

Nanoseconds cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

double memcpy_ns(uint64_t packets) {
  std::vector<uint8_t> from(kPacketBytes, 1), to(kCapacity);
  Nanoseconds begin = cpu_now();
  for (uint64_t i = 0; i < packets; i++) {
    std::memcpy(to.data() + i * kPacketBytes % (kCapacity - kPacketBytes), from.data(), kPacketBytes);
    asm volatile("" : : "r"(to.data()) : "memory");
  }
  return static_cast<double>(cpu_now() - begin) / static_cast<double>(packets);
}

ring::RingReader reader_of(const Shared &shared) {
  return ring::RingReader::create(shared.ring.bytes()).value();
}

// Copies every packet out, as a protocol does that parses; or takes spans, as one that sends.
void read_packets(Shared &shared, uint64_t packets, bool copy) {
  ring::RingReader reader = reader_of(shared);
  ByteVector buffer(ring::kMaxEntryBytes);
  Results &results = shared.results();
  uint64_t cursor = results.cursor, end = cursor + packets;
  Nanoseconds used = 0;
  while (cursor < end) {
    Nanoseconds begin = cpu_now();
    ring::Span span = reader.span(cursor, 256 * 1024);
    if (span.state == ring::Span::State::Empty) {
      sched_yield();
      continue;
    }
    CHECK(span.state == ring::Span::State::Data && reader.safe(span.begin_position));
    for (uint64_t i = span.first; copy && i < span.end; i++) CHECK(reader.copy(i, buffer));
    CHECK(reader.intact(span.begin_position));
    used += cpu_now() - begin;
    cursor = span.end;
    __atomic_store_n(&results.cursor, cursor, __ATOMIC_RELEASE);
  }
  (copy ? results.read_ns : results.span_ns) = static_cast<double>(used) / static_cast<double>(packets);
}

double write_packets(Shared &shared, ring::RingWriter &writer, uint64_t packets, size_t batch) {
  ByteVector packet(kPacketBytes, 1);
  Nanoseconds used = 0;
  for (uint64_t written = 0; written < packets;) {
    while (writer.head() - __atomic_load_n(&shared.results().cursor, __ATOMIC_ACQUIRE) > 1500) sched_yield();
    Nanoseconds begin = cpu_now();
    for (size_t group = 0; group < 256; group += batch) {
      for (size_t i = 0; i < batch; i++) CHECK(writer.append({.track = 0, .arrival_ns = begin}, packet));
      writer.commit(written);
    }
    used += cpu_now() - begin;
    written += 256;
  }
  return static_cast<double>(used) / static_cast<double>(packets);
}

void take_wake_ups(Shared &shared) {
  ring::RingReader reader = reader_of(shared);
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {}};
  CHECK(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, shared.doorbell.get(), &event) == 0);
  uint64_t cursor = reader.head();
  __atomic_store_n(&shared.results().cursor, UINT64_MAX, __ATOMIC_RELEASE); // ready
  for (int i = 0; i < kWakeUps;) {
    CHECK(epoll_wait(epoll.get(), &event, 1, 10'000) == 1);
    Nanoseconds now = monotonic_now();
    CHECK(shared.board.drain(0, shared.doorbell.get()).test(0));
    for (; cursor < reader.head() && i < kWakeUps; cursor++)
      shared.results().latencies[i++] = static_cast<uint64_t>(now - reader.entry(cursor)->arrival_ns);
  }
}

void give_wake_ups(Shared &shared, ring::RingWriter &writer, pid_t reader) {
  ByteVector packet(kPacketBytes, 1);
  std::array<int, 1> doorbells{shared.doorbell.get()};
  while (__atomic_load_n(&shared.results().cursor, __ATOMIC_ACQUIRE) != UINT64_MAX) sched_yield();
  int status = 0;
  while (waitpid(reader, &status, WNOHANG) == 0) {
    CHECK(writer.append({.track = 0, .arrival_ns = monotonic_now()}, packet));
    writer.commit(0);
    shared.board.ring(1, 0, doorbells);
    timespec pause{.tv_sec = 0, .tv_nsec = kPause};
    nanosleep(&pause, nullptr);
  }
  CHECK(status == 0);
}

template <class F> pid_t in_child(F &&run) {
  pid_t child = fork();
  CHECK(child >= 0);
  if (child > 0) return child;
  pin(1);
  run();
  _exit(0);
}

} // namespace

int main(int argc, char **argv) {
  uint64_t packets = argc > 1 ? std::strtoull(argv[1], nullptr, 10) / 256 * 256 : 512 * 1024;
  if (packets == 0) return 2;
  Shared shared;
  media::Track track;
  track.clock_rate = 90000;
  ring::RingWriter writer =
      ring::RingWriter::create(shared.ring.writable(), {.stream = 1, .description = media::StreamDescription{{track}}})
          .value();
  pin(0);
  double plain = memcpy_ns(packets);
  int status = 0;
  pid_t child = in_child([&] { read_packets(shared, packets, true); });
  double write_one = write_packets(shared, writer, packets, 1);
  waitpid(child, &status, 0);
  CHECK(status == 0);
  child = in_child([&] { read_packets(shared, packets, false); });
  double write_batch = write_packets(shared, writer, packets, 16);
  waitpid(child, &status, 0);
  CHECK(status == 0);
  auto line = [&](const char *what, double ns) {
    std::printf("%-44s %7.1f ns per packet  %5.2f x memcpy\n", what, ns, ns / plain);
  };
  std::printf("%llu packets of %zu bytes\n", static_cast<unsigned long long>(packets), kPacketBytes);
  line("memcpy loop", plain);
  line("write, a commit for each", write_one);
  line("write, a commit for 16", write_batch);
  line("read, each copied and checked", shared.results().read_ns);
  line("read as spans of up to 256 KiB", shared.results().span_ns);

  give_wake_ups(shared, writer, in_child([&] { take_wake_ups(shared); }));
  uint64_t *latencies = shared.results().latencies;
  std::sort(latencies, latencies + kWakeUps);
  std::printf("wake-up by doorbell, commit to epoll: median %.1f us, p99 %.1f us\n",
              static_cast<double>(latencies[kWakeUps / 2]) / 1000,
              static_cast<double>(latencies[kWakeUps * 99 / 100]) / 1000);
}
