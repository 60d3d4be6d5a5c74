#include "supervisor/processes/memory_budget.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace sluice::processes {
namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// A file that holds one number; "max", or none: no limit.
uint64_t limit_in(const std::string &name) {
  std::ifstream file(name);
  uint64_t limit = 0;
  return file >> limit ? limit : kNoLimit;
}

// The limits of our cgroup and of those around it (version 2), or of the memory controller's (version 1).
uint64_t cgroup_limit() {
  uint64_t limit = kNoLimit;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    bool unified = line.starts_with("0::");
    size_t memory = line.find(":memory:");
    if (!unified && memory == std::string::npos) continue;
    std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    std::string file = unified ? "/memory.max" : "/memory.limit_in_bytes";
    std::string path = unified ? line.substr(3) : line.substr(memory + 8);
    while (true) { // in a container the path may be the host's; its root is what is seen here
      std::string tried = root;
      if (path != "/") tried += path;
      limit = std::min(limit, limit_in(tried += file));
      if (path.empty() || path == "/") break;
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
  }
  return limit;
}

} // namespace

uint64_t default_memory_budget() {
  uint64_t machine = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::min(machine, cgroup_limit()) / 2;
}

MemoryBudget memory_budget(uint64_t max_memory) {
  uint64_t all = max_memory == 0 ? default_memory_budget() : max_memory;
  return {all / 2, all - all / 2 - all / 4, all / 4};
}

} // namespace sluice::processes
