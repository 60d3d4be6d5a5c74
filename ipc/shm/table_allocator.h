// Which records and buffers of a slot's table are free. Lives in the worker's own memory and is made anew by each
// incarnation from what the records say. Not thread-safe.
#pragma once

#include "ipc/shm/session_table.h"

#include <vector>

namespace sluice::shm {

class TableAllocator {
public:
  // Every record that is not Free, and every buffer that such a record names, counts as taken.
  explicit TableAllocator(SessionTable &table);

  // A zeroed record in state Open; null when the table is full.
  ConnectionRecord *take_connection();
  SessionRecord *take_session();
  void give_back(ConnectionRecord &record); // with its buffers
  void give_back(SessionRecord &record);

  // So many bytes of large buffers at most, whatever the table has.
  void set_max_large_bytes(uint64_t bytes);

  // A quarter of the large buffers is kept for publishers, so that strangers with half a request can't starve them.
  enum class Claim : uint8_t { Ordinary, Reserved };
  // A buffer of at least this many bytes; 0 when its class is used up or there is no such class.
  BufferId take_buffer(size_t bytes, Claim claim = Claim::Ordinary);
  void give_back(BufferId &buffer); // sets it to 0
  // The memory of buffers that were not used since the last call; to be called now and then.
  void give_back_idle_memory();

  SessionTable &table() { return table_; }

private:
  SessionTable &table_;
  std::vector<uint32_t> connections_, sessions_; // free indices, used as stacks: recently used pages first
  void forget_predecessor(const std::vector<bool> &taken);
  void release_idle(std::vector<BufferId> &free, size_t &least_free);

  std::vector<BufferId> small_, large_;
  size_t max_large_;                 // in use at a time
  size_t least_small_, least_large_; // free since the last give_back_idle_memory()
  std::vector<bool> used_;           // by id: taken since its memory was given back
};

} // namespace sluice::shm
