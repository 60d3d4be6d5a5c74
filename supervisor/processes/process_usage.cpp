#include "supervisor/processes/process_usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

namespace sluice::processes {
namespace {

struct CloseFile {
  void operator()(FILE *file) const { std::fclose(file); }
};

Result<std::string> read_small(const std::string &name) {
  std::unique_ptr<FILE, CloseFile> file(std::fopen(name.c_str(), "re"));
  if (!file) return os_error(name);
  char text[1024];
  return std::string(text, std::fread(text, 1, sizeof text, file.get()));
}

} // namespace

Result<ProcessUsage> usage_of(pid_t pid) {
  std::string stat = TRY(read_small(fmt::format("/proc/{}/stat", pid)));
  std::string statm = TRY(read_small(fmt::format("/proc/{}/statm", pid)));
  size_t name_end = stat.rfind(')'); // the name may hold anything (proc(5))
  unsigned long user = 0, system = 0, resident = 0, shared = 0;
  bool read = name_end != std::string::npos &&
              std::sscanf(stat.c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                          &system) == 2 &&
              std::sscanf(statm.c_str(), "%*u %lu %lu", &resident, &shared) == 2;
  if (!read) return Error{fmt::format("/proc/{}: unknown format", pid)};
  return ProcessUsage{.cpu_seconds = static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK)),
                      .memory_bytes =
                          (resident - std::min(resident, shared)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))};
}

} // namespace sluice::processes
