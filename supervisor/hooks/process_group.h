// The process group of a command, from its start until none of it is left. Signals reach exactly this group, never
// one that got the same number later:
// - Until the leader is waited for, its number, which is the group's, can't be given to another process.
// - The kernel gives no number to a new process that is still the number of a group. So the number stays ours as
//   long as exists() is true at each look, and the first look is right after the leader was waited for.
// - A pidfd of the leader means the group itself, also without the leader (Linux 6.9); before, the number is used:
//   for it to be another's, the group must end and all numbers be used up once between two looks.
#pragma once

#include "common/base/fd.h"

#include <sys/types.h>

namespace sluice::hooks {

class ProcessGroup {
public:
  explicit ProcessGroup(pid_t leader); // not waited for yet

  // Somebody has waited for the leader, just now.
  void leader_gone() { has_leader_ = false; }
  bool has_leader() const { return has_leader_; }

  void signal(int number);
  // Is the leader there, or any other process in the group? Also if it is a zombie, or another user's, which we may
  // not signal. Once false, it is false for good.
  bool exists();

private:
  int try_signal(int number) const; // 0 or errno

  pid_t leader_;
  Fd handle_; // pidfd; none if there are no descriptors left
  bool has_leader_ = true;
  bool gone_ = false;
};

} // namespace sluice::hooks
