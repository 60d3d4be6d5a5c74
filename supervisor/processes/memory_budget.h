// How much memory Sluice's shared media may take when the configuration does not say it.
#pragma once

#include <cstdint>

namespace sluice::processes {

// What `maxMemory: 0` means: half of what the cgroup or the machine has.
uint64_t default_memory_budget();

} // namespace sluice::processes
