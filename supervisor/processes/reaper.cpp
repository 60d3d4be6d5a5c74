#include "supervisor/processes/reaper.h"

#include <sys/wait.h>

#include <csignal>

namespace sluice::processes {

Reaper::Reaper(loop::Loop &loop) : signal_(loop, SIGCHLD, *this) {}

void Reaper::on_signal(int) {
  for (;;) {
    int status = 0;
    pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return; // none, or none that has ended
    auto found = listeners_.find(pid);
    if (found == listeners_.end()) continue; // an adopted orphan
    Listener *listener = found->second;
    listeners_.erase(found);
    listener->on_child_gone(pid, status);
  }
}

} // namespace sluice::processes
