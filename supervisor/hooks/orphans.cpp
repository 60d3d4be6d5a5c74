#include "supervisor/hooks/orphans.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace sluice::hooks {
namespace {

// Zombies included. They stay children, and their numbers theirs, until this process waits for them.
std::set<pid_t> children() {
  std::set<pid_t> pids;
  std::error_code error;
  for (const auto &task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream list(task.path() / "children");
    for (pid_t pid = 0; list >> pid;) pids.insert(pid);
  }
  return pids;
}

} // namespace

size_t kill_orphans(const std::set<pid_t> &keep) {
  size_t ended = 0;
  for (int round = 0; round < kOrphanRounds; round++) {
    bool any = false;
    for (pid_t pid : children()) {
      if (keep.contains(pid)) continue;
      any = true;
      ::kill(pid, SIGKILL);
      if (::waitpid(pid, nullptr, WNOHANG) == pid) ended++;
    }
    if (!any) break;
    ::usleep(1000);
  }
  return ended;
}

} // namespace sluice::hooks
