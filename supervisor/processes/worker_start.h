// A worker's first act, right after the clone and before any loop exists.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace sluice::processes {

// Title, fate, signals, and a descriptor table without what the dead incarnation left.
void prepare_worker(std::string_view slot, pid_t keeper);

// Closes all descriptors above `last_kept`: TCP connections in order (drained and shut down, so that the peer
// gets no reset), all else at once. A dead incarnation's epoll set must not live on.
void close_leftovers(int last_kept);

} // namespace sluice::processes
