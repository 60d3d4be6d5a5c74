#include "ipc/shm/table_allocator.h"

#include "common/base/check.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice::shm {
namespace {

template <class Record> std::vector<uint32_t> free_indices(std::span<Record> touched, size_t total) {
  std::vector<uint32_t> free;
  free.reserve(total);
  for (size_t i = total; i-- > 0;)
    if (i >= touched.size() || touched[i].state.load(std::memory_order_relaxed) == RecordState::Free)
      free.push_back(static_cast<uint32_t>(i));
  return free;
}

template <class Record>
Record *take(std::vector<uint32_t> &free, const SessionTable &table, std::span<Record> records) {
  if (free.empty()) return nullptr;
  table.touch(free.back());
  Record *record = &records[free.back()];
  free.pop_back();
  std::memset(static_cast<void *>(record), 0, sizeof *record);
  record->state.store(RecordState::Open, std::memory_order_release);
  return record;
}

template <class Record> void put_back(std::vector<uint32_t> &free, std::span<Record> records, Record &record) {
  CHECK(record.state.load(std::memory_order_relaxed) != RecordState::Free);
  record.state.store(RecordState::Free, std::memory_order_release);
  free.push_back(static_cast<uint32_t>(&record - records.data()));
}

} // namespace

TableAllocator::TableAllocator(SessionTable &table)
    : table_(table), connections_(free_indices(table.touched_connections(), table.connections().size())),
      sessions_(free_indices(table.touched_sessions(), table.sessions().size())) {
  uint32_t total = table.small_buffers() + table.large_buffers();
  std::vector<bool> taken(total + 1);
  for (const ConnectionRecord &record : table.touched_connections()) {
    if (record.state.load(std::memory_order_relaxed) == RecordState::Free) continue;
    for (BufferId id : {record.input, record.output})
      if (id <= total) taken[id] = true;
  }
  for (BufferId id = total; id >= 1; id--)
    if (!taken[id]) (id <= table.small_buffers() ? small_ : large_).push_back(id);
  max_large_ = table.large_buffers();
  least_small_ = small_.size();
  least_large_ = large_.size();
  used_.assign(total + 1, false);
  if (!table.touched_connections().empty()) forget_predecessor(taken);
}

// What it left in buffers that are free now; neighbours with one system call.
void TableAllocator::forget_predecessor(const std::vector<bool> &taken) {
  auto release = [this, &taken](BufferId id, BufferId end) {
    while (id < end) {
      BufferId first = id;
      while (id < end && !taken[id]) id++;
      if (id > first) {
        MutableBytes begin = table_.buffer(first);
        ::madvise(begin.data(), (id - first) * begin.size(), MADV_REMOVE); // what can't be given back stays
      }
      while (id < end && taken[id]) id++;
    }
  };
  BufferId small_end = table_.small_buffers() + 1;
  release(1, small_end);
  release(small_end, small_end + table_.large_buffers());
}

void TableAllocator::set_max_large_bytes(uint64_t bytes) {
  max_large_ = std::min<uint64_t>(bytes / kLargeBufferBytes, table_.large_buffers());
}

ConnectionRecord *TableAllocator::take_connection() {
  return take(connections_, table_, table_.connections());
}
SessionRecord *TableAllocator::take_session() {
  return take(sessions_, table_, table_.sessions());
}

void TableAllocator::give_back(ConnectionRecord &record) {
  give_back(record.input);
  give_back(record.output);
  put_back(connections_, table_.connections(), record);
}

void TableAllocator::give_back(SessionRecord &record) {
  put_back(sessions_, table_.sessions(), record);
}

BufferId TableAllocator::take_buffer(size_t bytes, Claim claim) {
  if (bytes > kLargeBufferBytes) return 0;
  bool small = bytes <= kSmallBufferBytes;
  auto &free = small ? small_ : large_;
  if (free.empty()) return 0;
  size_t used = table_.large_buffers() - large_.size();
  size_t kept = claim == Claim::Reserved ? 0 : max_large_ / 4;
  if (!small && used + kept >= max_large_) return 0;
  BufferId id = free.back();
  free.pop_back();
  used_[id] = true;
  size_t &least = small ? least_small_ : least_large_;
  least = std::min(least, free.size());
  return id;
}

// Free buffers are a stack: those below its lowest level have rested.
void TableAllocator::release_idle(std::vector<BufferId> &free, size_t &least_free) {
  constexpr size_t kAtOnce = 512; // a system call each
  size_t released = 0;
  for (size_t i = std::exchange(least_free, free.size()); i-- > 0 && released < kAtOnce;) {
    if (!used_[free[i]]) continue;
    MutableBytes memory = table_.buffer(free[i]);
    ::madvise(memory.data(), memory.size(), MADV_REMOVE); // what can't be given back stays
    used_[free[i]] = false;
    released++;
  }
}

void TableAllocator::give_back_idle_memory() {
  release_idle(small_, least_small_);
  release_idle(large_, least_large_);
}

void TableAllocator::give_back(BufferId &buffer) {
  if (buffer == 0) return;
  (buffer <= table_.small_buffers() ? small_ : large_).push_back(buffer);
  buffer = 0;
}

} // namespace sluice::shm
