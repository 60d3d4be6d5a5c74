// Collects the exit statuses of all children of this process, adopted orphans included. One per process; the
// only place that waits for children.
#pragma once

#include "common/loop/loop.h"

#include <sys/types.h>

#include <map>

namespace sluice::processes {

class Reaper : loop::Signal::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_child_gone(pid_t pid, int status) = 0; // status as of waitpid
  };

  explicit Reaper(loop::Loop &loop);

  // Right after the child was made, within the same turn of the loop.
  void watch(pid_t pid, Listener &listener) { listeners_[pid] = &listener; }
  void forget(pid_t pid) { listeners_.erase(pid); }

private:
  void on_signal(int number) override;

  std::map<pid_t, Listener *> listeners_;
  loop::Signal signal_;
};

} // namespace sluice::processes
