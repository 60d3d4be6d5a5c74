#include "ipc/shm/table_allocator.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace sluice::shm {
namespace {

constexpr uint32_t kSessions = 20'000;

struct TouchedRecords : testing::Test {
  Fd fd{std::move(*SessionTable::make(kSessions))};
  SessionTable table{std::move(*SessionTable::map(fd.get()))};

  size_t resident_bytes() const {
    struct stat status {};
    EXPECT_EQ(::fstat(fd.get(), &status), 0);
    return static_cast<size_t>(status.st_blocks) * 512;
  }
};

TEST_F(TouchedRecords, AnEmptyTableCostsNoMemoryWhenAWorkerTakesItOver) {
  TableAllocator allocator(table);
  EXPECT_TRUE(table.touched_connections().empty());
  EXPECT_LT(resident_bytes(), 64U * 1024);
  for (int i = 0; i < 10; i++) allocator.take_session();
  EXPECT_LT(resident_bytes(), 128U * 1024);
}

TEST_F(TouchedRecords, ASuccessorSeesAllThatWereTaken) {
  {
    TableAllocator allocator(table);
    allocator.take_connection()->id = 1;
    allocator.take_connection()->id = 2;
    allocator.take_session()->id = 3;
  }
  size_t open = 0;
  for (const ConnectionRecord &record : table.touched_connections()) open += record.state == RecordState::Open;
  EXPECT_EQ(open, 2U);
  TableAllocator successor(table);
  for (uint32_t i = 2; i < kSessions; i++) ASSERT_NE(successor.take_connection(), nullptr);
  EXPECT_EQ(successor.take_connection(), nullptr);
  EXPECT_EQ(table.touched_connections().size(), kSessions);
}

TEST_F(TouchedRecords, AMarkBeyondTheTableIsNotBelieved) {
  table.header().touched = UINT32_MAX;
  EXPECT_EQ(table.touched_sessions().size(), kSessions);
}

} // namespace
} // namespace sluice::shm
