// What commands left behind outside their process groups (daemons that called setsid) and this process adopted.
// For the very end of the server: the loop and the reaper don't run any more.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <set>

namespace sluice::hooks {

constexpr int kOrphanRounds = 1000; // of a millisecond

// SIGKILL to all children of this process but those in `keep`, and to those that they leave to us in turn, until
// none is there; at most kOrphanRounds. How many have ended. Needs /proc/self/task/*/children.
size_t kill_orphans(const std::set<pid_t> &keep);

} // namespace sluice::hooks
