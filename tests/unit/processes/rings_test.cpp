#include "ipc/ring/ring_reader.h"
#include "ipc/ring/ring_writer.h"
#include "supervisor/processes/memory_budget.h"
#include "supervisor/processes/rings.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace sluice::processes {
namespace {

constexpr size_t kMiB = 1 << 20;

media::StreamDescription description() {
  media::StreamDescription result;
  result.tracks.emplace_back().clock_rate = 90000;
  return result;
}

struct RingsTest : testing::Test {
  Rings rings{{.initial_bytes = kMiB, .largest_bytes = 4 * kMiB, .budget_bytes = 64 * kMiB}};

  ring::RingWriter resume(int fd) {
    mappings.push_back(std::move(*shm::Mapping::map_ring(fd, shm::Access::ReadWrite)));
    return std::move(*ring::RingWriter::resume(mappings.back().writable()));
  }
  ring::RingReader read(int fd) {
    mappings.push_back(std::move(*shm::Mapping::map_ring(fd, shm::Access::ReadOnly)));
    return std::move(*ring::RingReader::create(mappings.back().bytes()));
  }
  std::deque<shm::Mapping> mappings;
};

TEST_F(RingsTest, MakesARingThatItsWriterAndReadersUnderstand) {
  auto grant = rings.open(7, 0, description());
  ASSERT_TRUE(grant.has_value());
  ring::RingWriter writer = resume(grant->writable);
  EXPECT_EQ(writer.stream(), 7U);
  EXPECT_EQ(writer.ring_index(), grant->ring_index);
  EXPECT_EQ(writer.data_capacity(), kMiB);
  ring::RingReader reader = read(grant->read_only);
  EXPECT_EQ(reader.description(), description());
}

TEST_F(RingsTest, GivesReadersADescriptorThatCannotWrite) {
  auto grant = *rings.open(7, 0, description());
  EXPECT_EQ(::fcntl(grant.read_only, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, grant.read_only, 0), MAP_FAILED);
}

TEST_F(RingsTest, TellsTheWriterWhomToWake) {
  ring::RingWriter writer = resume(rings.open(7, 0, description())->writable);
  rings.subscribe(7, 0);
  rings.subscribe(7, 63);
  EXPECT_EQ(writer.subscribers(), uint64_t{1} << 63 | 1);
  rings.unsubscribe(7, 0);
  EXPECT_EQ(writer.subscribers(), uint64_t{1} << 63);
}

TEST_F(RingsTest, WakesASlotUntilAllOfItsSubscriptionsHaveEnded) {
  ring::RingWriter writer = resume(rings.open(7, 0, description())->writable);
  rings.subscribe(7, 5);
  rings.subscribe(7, 5);
  rings.unsubscribe(7, 5);
  EXPECT_EQ(writer.subscribers(), uint64_t{1} << 5);
  rings.unsubscribe(7, 5);
  EXPECT_EQ(writer.subscribers(), 0U);
  rings.unsubscribe(7, 5);
  rings.subscribe(7, 5);
  EXPECT_EQ(writer.subscribers(), uint64_t{1} << 5);
}

TEST_F(RingsTest, GrowsIntoANextGenerationThatKnowsTheReaders) {
  auto first = *rings.open(7, 2, description());
  ring::RingWriter writer = resume(first.writable);
  rings.subscribe(7, 5);
  auto replacement = rings.grow(7, 2, kMiB + 1);
  ASSERT_TRUE(replacement.has_value() && replacement->has_value());
  EXPECT_EQ((*replacement)->readers, uint64_t{1} << 5);
  EXPECT_EQ((*replacement)->grant.ring_index, first.ring_index);
  rings.subscribe(7, 6);
  EXPECT_EQ(writer.subscribers(), uint64_t{3} << 5) << "the writer is still in the first generation";
  mappings.push_back(std::move(*shm::Mapping::map_ring((*replacement)->grant.writable, shm::Access::ReadWrite)));
  auto next = ring::RingWriter::continue_from(mappings.back().writable(), writer);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->data_capacity(), 2 * kMiB);
  EXPECT_EQ(next->generation(), 1U);
  EXPECT_EQ(next->subscribers(), uint64_t{3} << 5);
  EXPECT_EQ(rings.find(7)->writable, (*replacement)->grant.writable);
}

TEST_F(RingsTest, GrowsOnlyForTheWriterAndUpToTheLargest) {
  ASSERT_TRUE(rings.open(7, 2, description()).has_value());
  EXPECT_FALSE(rings.grow(7, 3, 2 * kMiB)->has_value());
  EXPECT_FALSE(rings.grow(8, 2, 2 * kMiB)->has_value());
  EXPECT_FALSE(rings.grow(7, 2, kMiB)->has_value());
  EXPECT_TRUE(rings.grow(7, 2, 1000 * kMiB)->has_value());
  EXPECT_EQ(resume(rings.open(9, 2, description())->writable).data_capacity(), kMiB);
  EXPECT_FALSE(rings.grow(7, 2, 1000 * kMiB)->has_value());
}

TEST_F(RingsTest, HandsARingOnToItsSlotOrAfterADeath) {
  auto first = *rings.open(7, 2, description());
  rings.subscribe(7, 5);
  auto same = *rings.hand_on(7, 2);
  EXPECT_EQ(same.grant.writable, first.writable);
  EXPECT_EQ(same.readers, 0U);
  rings.writer_gone(2);
  auto other = *rings.hand_on(7, 3);
  EXPECT_EQ(other.grant.writable, first.writable);
  EXPECT_EQ(other.readers, 0U);
  EXPECT_FALSE(rings.hand_on(8, 3).has_value());
}

// It might write on, whatever it says.
TEST_F(RingsTest, TakesTheRingAwayFromAWriterThatLives) {
  auto first = *rings.open(7, 2, description());
  ring::RingWriter former = resume(first.writable);
  rings.subscribe(7, 5);
  auto handed = *rings.hand_on(7, 3);
  EXPECT_NE(handed.grant.writable, first.writable);
  EXPECT_EQ(handed.grant.former, first.writable);
  EXPECT_EQ(handed.readers, uint64_t{1} << 5);
  mappings.push_back(std::move(*shm::Mapping::map_ring(handed.grant.writable, shm::Access::ReadWrite)));
  auto next = ring::RingWriter::continue_from(mappings.back().writable(), former);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->subscribers(), uint64_t{1} << 5);
  EXPECT_FALSE(rings.grow(7, 2, 2 * kMiB)->has_value()) << "the former writer has no say any more";
}

TEST_F(RingsTest, StaysWithinItsBudgetAndGetsBackWhatIsClosed) {
  control::StreamId stream = 1;
  while (rings.open(stream, 0, description())) ASSERT_LT(stream++, 64U);
  EXPECT_GT(stream, 30U);
  EXPECT_LE(rings.used_bytes(), 64 * kMiB);
  EXPECT_FALSE(rings.grow(1, 0, 4 * kMiB).has_value());
  EXPECT_EQ(rings.open(stream, 0, description()).error().message, "the memory budget (maxMemory) is used up");
  for (control::StreamId i = 1; i < stream; i++) rings.close(i);
  EXPECT_EQ(rings.used_bytes(), 0U);
  EXPECT_TRUE(rings.open(100, 0, description()).has_value());
}

TEST_F(RingsTest, CountsTheTwoNewestGenerationsOfARing) {
  ASSERT_TRUE(rings.open(7, 0, description()).has_value());
  uint64_t one = rings.used_bytes();
  ASSERT_TRUE(rings.hand_on(7, 1).has_value());
  EXPECT_EQ(rings.used_bytes(), 2 * one);
  for (uint16_t i = 0; i < 200; i++) ASSERT_TRUE(rings.hand_on(7, i % 2).has_value()) << i;
  EXPECT_EQ(rings.used_bytes(), 2 * one);
  ASSERT_TRUE(rings.grow(7, 1, 4 * kMiB)->has_value());
  EXPECT_GT(rings.used_bytes(), 4 * one);
  EXPECT_LT(rings.used_bytes(), 6 * one);
  rings.close(7);
  EXPECT_EQ(rings.used_bytes(), 0U);
}

TEST_F(RingsTest, GivesNoIndexTwiceAndReusesTheLongestUnused) {
  auto first = *rings.open(1, 0, description());
  auto second = *rings.open(2, 0, description());
  EXPECT_NE(first.ring_index, second.ring_index);
  rings.close(1);
  EXPECT_NE(rings.open(3, 0, description())->ring_index, first.ring_index);
  EXPECT_FALSE(rings.find(1).has_value());
}

TEST(MemoryBudget, IsAtMostHalfOfTheMachine) {
  uint64_t machine = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_GT(default_memory_budget(), 0U);
  EXPECT_LE(default_memory_budget(), machine / 2);
}

} // namespace
} // namespace sluice::processes
