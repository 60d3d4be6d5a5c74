// How much memory Sluice's shared media may take when the configuration does not say it.
#pragma once

#include <cstdint>

namespace sluice::processes {

// What `maxMemory: 0` means: half of what the cgroup or the machine has.
uint64_t default_memory_budget();

// `max_memory` or the default, in three: what rings may take, what segments may, the rest is for what clients send.
struct MemoryBudget {
  uint64_t ring_bytes = 0, segment_bytes = 0, input_bytes = 0;
};
MemoryBudget memory_budget(uint64_t max_memory);

} // namespace sluice::processes
