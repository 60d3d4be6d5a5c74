#include "common/rtp/reorder_buffer.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace sluice::rtp {
namespace {

// Feeds packets whose only content is their number, and notes what comes out.
struct Feeder {
  void release(const ReorderBuffer::Stored &stored) {
    out.push_back(load_be32(stored.packet.data()));
    arrivals.push_back(stored.arrival);
  }
  void feed(uint64_t sequence, Nanoseconds now = 0) {
    std::array<uint8_t, 4> content;
    store_be32(content.data(), static_cast<uint32_t>(sequence));
    ReorderBuffer::Stored stored{content, now, now + 1000};
    while (auto before = buffer.make_room(sequence)) release(*before);
    verdict = buffer.push(sequence, stored);
    if (verdict != ReorderBuffer::Verdict::Next) return;
    release(stored);
    while (auto next = buffer.pop()) release(*next);
  }
  void pass(Nanoseconds now) {
    while (auto overdue = buffer.pop_overdue(now)) {
      release(*overdue);
      while (auto next = buffer.pop()) release(*next);
    }
  }

  ReorderBuffer buffer;
  ReorderBuffer::Verdict verdict{};
  std::vector<uint32_t> out;
  std::vector<Nanoseconds> arrivals;
};

using Numbers = std::vector<uint32_t>;
using Verdict = ReorderBuffer::Verdict;

TEST(ReorderBuffer, PacketsInOrderAreNotHeld) {
  Feeder feeder;
  for (uint64_t i = 100; i < 300; i++) {
    feeder.feed(i);
    EXPECT_EQ(feeder.verdict, Verdict::Next);
    EXPECT_EQ(feeder.buffer.held(), 0u);
    EXPECT_FALSE(feeder.buffer.deadline());
  }
  EXPECT_EQ(feeder.out.size(), 200u);
}

TEST(ReorderBuffer, SwappedPacketsComeOutInOrderWithTheirOwnArrival) {
  Feeder feeder;
  feeder.feed(100, 1);
  feeder.feed(102, 2);
  EXPECT_EQ(feeder.verdict, Verdict::Held);
  feeder.feed(103, 3);
  feeder.feed(101, 4);
  EXPECT_EQ(feeder.out, (Numbers{100, 101, 102, 103}));
  EXPECT_EQ(feeder.arrivals, (std::vector<Nanoseconds>{1, 4, 2, 3}));
  EXPECT_EQ(feeder.buffer.lost(), 0u);
}

TEST(ReorderBuffer, DuplicatesAndLatePacketsAreTold) {
  Feeder feeder;
  feeder.feed(100);
  feeder.feed(100);
  EXPECT_EQ(feeder.verdict, Verdict::Duplicate);
  feeder.feed(99); // before the first
  EXPECT_EQ(feeder.verdict, Verdict::Late);
  feeder.feed(102);
  feeder.feed(102);
  EXPECT_EQ(feeder.verdict, Verdict::Duplicate);
  feeder.feed(101);
  EXPECT_EQ(feeder.out, (Numbers{100, 101, 102}));
}

TEST(ReorderBuffer, RemembersForAWhileWhatArrived) {
  Feeder feeder;
  feeder.feed(1000);
  feeder.feed(1002, 0);
  feeder.pass(ReorderBuffer::kMaxWait); // 1001 is given up
  feeder.feed(1001);
  EXPECT_EQ(feeder.verdict, Verdict::Late);
  feeder.feed(1001); // it did arrive, if late
  EXPECT_EQ(feeder.verdict, Verdict::Duplicate);
  for (uint64_t i = 1003; i < 1000 + ReorderBuffer::kHistory; i++) feeder.feed(i);
  feeder.feed(1000);
  EXPECT_EQ(feeder.verdict, Verdict::Duplicate);
  feeder.feed(1000 + ReorderBuffer::kHistory);
  feeder.feed(1000); // forgotten
  EXPECT_EQ(feeder.verdict, Verdict::Late);
  for (uint64_t gap : {100u, 1000u}) { // of those in it nothing arrived
    uint64_t end = 10000 + gap;
    Feeder jumping;
    jumping.feed(10000);
    jumping.feed(end);
    jumping.pass(ReorderBuffer::kMaxWait);
    EXPECT_EQ(jumping.buffer.lost(), gap - 1);
    jumping.feed(end - 50);
    EXPECT_EQ(jumping.verdict, Verdict::Late);
    jumping.feed(end);
    EXPECT_EQ(jumping.verdict, Verdict::Duplicate);
  }
}

TEST(ReorderBuffer, GapIsPassedOverWhenItsTimeIsUp) {
  Feeder feeder;
  feeder.feed(100, 0);
  feeder.feed(103, 10);
  feeder.feed(106, 20);
  EXPECT_EQ(feeder.buffer.deadline(), 10 + ReorderBuffer::kMaxWait);
  feeder.pass(9 + ReorderBuffer::kMaxWait);
  EXPECT_EQ(feeder.out, (Numbers{100}));
  feeder.pass(10 + ReorderBuffer::kMaxWait);
  EXPECT_EQ(feeder.out, (Numbers{100, 103}));
  EXPECT_EQ(feeder.buffer.lost(), 2u);
  EXPECT_EQ(feeder.buffer.deadline(), 20 + ReorderBuffer::kMaxWait);
  feeder.feed(102, 30);
  EXPECT_EQ(feeder.verdict, Verdict::Late);
  feeder.pass(20 + ReorderBuffer::kMaxWait);
  EXPECT_EQ(feeder.out, (Numbers{100, 103, 106}));
  EXPECT_EQ(feeder.buffer.lost(), 4u);
}

TEST(ReorderBuffer, DeadlineIsThatOfTheOldestArrivalWhateverItsNumber) {
  Feeder feeder;
  feeder.feed(100, 0);
  feeder.feed(105, 10);
  feeder.feed(102, 40);
  feeder.pass(10 + ReorderBuffer::kMaxWait);
  EXPECT_EQ(feeder.out, (Numbers{100, 102, 105}));
}

TEST(ReorderBuffer, GapIsGivenUpWhenTheBufferIsFull) {
  Feeder feeder;
  feeder.feed(100);
  for (uint32_t i = 102; i < 102 + 63; i++) feeder.feed(i);
  EXPECT_EQ(feeder.out, (Numbers{100}));
  EXPECT_EQ(feeder.buffer.held(), 63u);
  feeder.feed(165);
  EXPECT_EQ(feeder.out.size(), 1u + 63 + 1);
  EXPECT_EQ(feeder.buffer.lost(), 1u);
  EXPECT_TRUE(std::is_sorted(feeder.out.begin(), feeder.out.end()));
}

TEST(ReorderBuffer, LongGapsAreCounted) {
  Feeder feeder;
  feeder.feed(100);
  feeder.feed(2100);
  feeder.pass(kSecond);
  EXPECT_EQ(feeder.out, (Numbers{100, 2100}));
  EXPECT_EQ(feeder.buffer.lost(), 1999u);
}

TEST(ReorderBuffer, StartsAnewAfterReset) {
  Feeder feeder;
  feeder.feed(100);
  feeder.feed(105);
  feeder.buffer.reset();
  feeder.feed(7);
  EXPECT_EQ(feeder.out, (Numbers{100, 7}));
  EXPECT_EQ(feeder.buffer.lost(), 0u);
}

TEST(ReorderBuffer, AnyShuffleWithinTheWindowComesOutInOrder) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    uint32_t first = 65536 + random() % 65536;
    size_t block = 2 + random() % (ReorderBuffer::kSlots - 2);
    Numbers expected(500);
    std::iota(expected.begin(), expected.end(), first);
    Numbers shuffled = expected;
    for (size_t i = 1; i < shuffled.size(); i += block) {
      auto begin = shuffled.begin() + static_cast<ptrdiff_t>(i);
      auto end = shuffled.begin() + static_cast<ptrdiff_t>(std::min(i + block, shuffled.size()));
      std::shuffle(begin, end, random);
    }
    Feeder feeder;
    for (uint32_t number : shuffled) {
      feeder.feed(number);
      if (random() % 8 == 0) feeder.feed(number); // repeated by the network
    }
    ASSERT_EQ(feeder.out, expected);
    ASSERT_EQ(feeder.buffer.lost(), 0u);
    ASSERT_EQ(feeder.buffer.held(), 0u);
  }
}

TEST(ReorderBuffer, WhateverComesLeavesInOrderAndIsAccountedFor) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; round++) {
    Feeder feeder;
    uint64_t position = 65536;
    uint64_t accepted = 0;
    Nanoseconds now = 0;
    for (int i = 0; i < 2000; i++) {
      now += random() % (5 * kMillisecond);
      position += random() % 100 == 0 ? random() % 2000 : 1;
      uint64_t number = position - (random() % 4 == 0 ? random() % 90 : 0);
      if (i == 0) number = position = 65536 + 100;
      feeder.pass(now);
      feeder.feed(number, now);
      if (feeder.verdict == Verdict::Next || feeder.verdict == Verdict::Held) accepted++;
      auto deadline = feeder.buffer.deadline();
      ASSERT_TRUE(!deadline || *deadline > now);
    }
    feeder.pass(now + kSecond);
    ASSERT_EQ(feeder.out.size(), accepted);
    ASSERT_EQ(std::adjacent_find(feeder.out.begin(), feeder.out.end(), std::greater_equal<>()), feeder.out.end());
    ASSERT_EQ(feeder.out.back() - feeder.out.front() + 1, feeder.out.size() + feeder.buffer.lost());
  }
}

} // namespace
} // namespace sluice::rtp
