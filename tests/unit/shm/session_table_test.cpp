#include "ipc/shm/table_allocator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <set>

namespace sluice::shm {
namespace {

SessionTable make_table(uint32_t sessions) {
  auto fd = SessionTable::make(sessions);
  EXPECT_TRUE(fd.has_value());
  auto table = SessionTable::map(fd->get());
  EXPECT_TRUE(table.has_value());
  return std::move(*table);
}

TEST(SessionTable, RefusesMemoryThatIsNoTable) {
  EXPECT_FALSE(SessionTable::make(0).has_value());
  EXPECT_FALSE(SessionTable::make(kMaxTableSessions + 1).has_value());
  Fd empty(::memfd_create("t", 0));
  EXPECT_FALSE(SessionTable::map(empty.get()).has_value());
  ASSERT_EQ(::ftruncate(empty.get(), 1 << 20), 0);
  EXPECT_FALSE(SessionTable::map(empty.get()).has_value());
  SlotHeader header{};
  header.magic = kTableMagic;
  header.version = kTableVersion;
  header.sessions = 1000; // more than the memory holds
  ASSERT_EQ(::pwrite(empty.get(), &header, sizeof header, 0), static_cast<ssize_t>(sizeof header));
  EXPECT_FALSE(SessionTable::map(empty.get()).has_value());
}

TEST(SessionTable, BuffersOfBothClassesDoNotOverlap) {
  SessionTable table = make_table(3);
  std::set<uint8_t *> begins;
  for (BufferId id = 1; id <= table.small_buffers() + table.large_buffers(); id++) {
    MutableBytes buffer = table.buffer(id);
    ASSERT_EQ(buffer.size(), id <= table.small_buffers() ? kSmallBufferBytes : kLargeBufferBytes);
    std::fill(buffer.begin(), buffer.end(), static_cast<uint8_t>(id));
    begins.insert(buffer.data());
  }
  EXPECT_EQ(begins.size(), table.small_buffers() + table.large_buffers());
  for (BufferId id = 1; id <= table.small_buffers() + table.large_buffers(); id++)
    for (uint8_t byte : table.buffer(id)) ASSERT_EQ(byte, id);
  EXPECT_TRUE(table.buffer(0).empty());
  EXPECT_TRUE(table.buffer(table.small_buffers() + table.large_buffers() + 1).empty());
}

TEST(TableAllocator, GivesEachRecordOnceUntilTheTableIsFull) {
  SessionTable table = make_table(4);
  TableAllocator allocator(table);
  std::set<ConnectionRecord *> taken;
  for (int i = 0; i < 4; i++) taken.insert(allocator.take_connection());
  EXPECT_EQ(taken.size(), 4u);
  EXPECT_FALSE(taken.contains(nullptr));
  EXPECT_EQ(allocator.take_connection(), nullptr);
  allocator.give_back(**taken.begin());
  EXPECT_EQ(allocator.take_connection(), *taken.begin());
}

TEST(TableAllocator, SuccessorSeesWhatThePredecessorHeld) {
  SessionTable table = make_table(4);
  ConnectionRecord *connection;
  {
    TableAllocator first(table);
    connection = first.take_connection();
    connection->input = first.take_buffer(100);
    connection->output = first.take_buffer(100'000);
    ASSERT_NE(first.take_session(), nullptr);
  }
  TableAllocator second(table);
  std::set<BufferId> free;
  while (BufferId id = second.take_buffer(1)) free.insert(id);
  EXPECT_EQ(free.size(), table.small_buffers() - 1);
  EXPECT_FALSE(free.contains(connection->input));
  int sessions = 0;
  while (second.take_session() != nullptr) sessions++;
  EXPECT_EQ(sessions, 3);
  second.give_back(*connection); // with its buffers
  EXPECT_NE(second.take_buffer(1), 0u);
}

TEST(TableAllocator, HasNoBufferBeyondTheLargeClass) {
  SessionTable table = make_table(1);
  TableAllocator allocator(table);
  EXPECT_EQ(allocator.take_buffer(kLargeBufferBytes + 1), 0u);
  EXPECT_GT(allocator.take_buffer(kLargeBufferBytes), table.small_buffers());
}

} // namespace
} // namespace sluice::shm
