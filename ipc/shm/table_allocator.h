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

  // A quarter of the large buffers is kept for publishers, so that strangers with half a request can't starve them.
  enum class Claim : uint8_t { Ordinary, Reserved };
  // A buffer of at least this many bytes; 0 when its class is used up or there is no such class.
  BufferId take_buffer(size_t bytes, Claim claim = Claim::Ordinary);
  void give_back(BufferId &buffer); // sets it to 0

  SessionTable &table() { return table_; }

private:
  SessionTable &table_;
  std::vector<uint32_t> connections_, sessions_; // free indices, used as stacks: recently used pages first
  std::vector<BufferId> small_, large_;
};

} // namespace sluice::shm
