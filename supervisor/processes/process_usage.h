// What a process has used, from /proc.
#pragma once

#include "common/base/result.h"

#include <sys/types.h>

#include <cstdint>

namespace sluice::processes {

struct ProcessUsage {
  double cpu_seconds = 0;    // user and system
  uint64_t memory_bytes = 0; // resident and its own: without what it shares with others
};

// Error: there is no such process.
Result<ProcessUsage> usage_of(pid_t pid);

} // namespace sluice::processes
