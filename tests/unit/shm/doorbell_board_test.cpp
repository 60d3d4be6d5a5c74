#include "ipc/shm/doorbell_board.h"
#include "ipc/shm/memfd.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

namespace sluice::shm {
namespace {

struct Board {
  Board() {
    for (size_t i = 0; i < 3; i++) {
      owners.emplace_back(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
      doorbells.push_back(owners.back().get());
    }
  }

  bool is_rung(size_t slot, int timeout_ms = 0) const {
    pollfd poll_fd{doorbells[slot], POLLIN, 0};
    return poll(&poll_fd, 1, timeout_ms) == 1;
  }

  Fd memory = create_memfd("board", DoorbellBoard::bytes()).value();
  DoorbellBoard board = DoorbellBoard::map(memory.get()).value();
  std::vector<Fd> owners;
  std::vector<int> doorbells;
};

std::vector<size_t> list(const DirtyRings &dirty) {
  std::vector<size_t> rings;
  dirty.for_each([&](size_t ring) { rings.push_back(ring); });
  return rings;
}

TEST(DoorbellBoard, WakesExactlyTheSlotsOfTheMaskAndSaysWhichRings) {
  Board test;
  test.board.ring(0b101, 7, test.doorbells);
  test.board.ring(0b100, 4095, test.doorbells);
  EXPECT_TRUE(test.is_rung(0));
  EXPECT_FALSE(test.is_rung(1));
  EXPECT_TRUE(test.is_rung(2));
  EXPECT_EQ(list(test.board.drain(0, test.doorbells[0])), std::vector<size_t>{7});
  EXPECT_EQ(list(test.board.drain(2, test.doorbells[2])), (std::vector<size_t>{7, 4095}));
  EXPECT_FALSE(test.is_rung(0));
  EXPECT_FALSE(test.board.drain(2, test.doorbells[2]).any());
}

TEST(DoorbellBoard, WritesADoorbellOnceUntilItIsDrained) {
  Board test;
  for (size_t i = 0; i < 10; i++) test.board.ring(1, i, test.doorbells);
  uint64_t count = 0;
  ASSERT_EQ(read(test.doorbells[0], &count, sizeof(count)), 8);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(list(test.board.drain(0, test.doorbells[0])).size(), 10u);
  test.board.ring(1, 3, test.doorbells);
  EXPECT_TRUE(test.is_rung(0));
}

TEST(DoorbellBoard, IsCuredAfterAWorkerDiedBetweenFlagAndDoorbell) {
  Board test;
  test.board.ring(1, 9, {}); // marked, but the doorbell was not written
  test.board.ring(1, 10, test.doorbells);
  EXPECT_FALSE(test.is_rung(0));
  test.board.ring_anyway(1, 9, test.doorbells); // its successor
  EXPECT_TRUE(test.is_rung(0));
  EXPECT_EQ(list(test.board.drain(0, test.doorbells[0])), (std::vector<size_t>{9, 10}));

  test.board.ring(1, 9, {});
  EXPECT_EQ(list(test.board.drain(0, test.doorbells[0])), std::vector<size_t>{9}) << "the fallback scan";
  test.board.ring(1, 9, test.doorbells);
  EXPECT_TRUE(test.is_rung(0));
}

TEST(DoorbellBoard, IgnoresSlotsWithoutADoorbell) {
  Board test;
  test.doorbells[1] = -1;
  test.board.ring(UINT64_MAX, 1, test.doorbells);
  EXPECT_TRUE(test.is_rung(0));
  EXPECT_TRUE(test.board.drain(63, -1).test(1));
}

TEST(DoorbellBoard, RefusesMemoryOfAnotherSize) {
  Fd small = create_memfd("board", 4096).value();
  EXPECT_FALSE(DoorbellBoard::map(small.get()));
}

// A consumer that sleeps until its doorbell rings, and producers that ring after each step: every step is seen, or
// the consumer sleeps for good and the poll below times out.
TEST(DoorbellBoard, LosesNoWakeUpBetweenThreads) {
  Board test;
  constexpr uint64_t kSteps = 20'000;
  std::array<std::atomic<uint64_t>, 2> steps{};
  std::array<uint64_t, 2> seen{};
  std::atomic<uint64_t> done{0};
  std::thread consumer([&] {
    while (seen[0] < kSteps || seen[1] < kSteps) {
      if (!test.is_rung(0, 5000)) return;
      test.board.drain(0, test.doorbells[0]).for_each([&](size_t ring) {
        seen[ring / 100] = steps[ring / 100].load(std::memory_order_acquire);
      });
      done.store(std::min(seen[0], seen[1]), std::memory_order_release);
    }
  });
  std::vector<std::thread> producers;
  for (size_t i = 0; i < 2; i++) {
    producers.emplace_back([&, i] {
      for (uint64_t step = 1; step <= kSteps; step++) {
        steps[i].store(step, std::memory_order_release);
        test.board.ring(1, i * 100, test.doorbells);
        if (step % 8 == 0) std::this_thread::yield(); // lets the consumer fall asleep in between
      }
    });
  }
  for (std::thread &producer : producers) producer.join();
  consumer.join();
  EXPECT_EQ(done, kSteps);
}

} // namespace
} // namespace sluice::shm
