// How the processes of one server belong together: who dies with whom, which signals concern whom.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace sluice::processes {

// From now on this process is killed when `parent` dies; exits at once if that has happened already. The one
// place that says that no keeper outlives its supervisor and no worker its keeper. A change of uid clears it:
// call it afterwards.
void die_with_parent(pid_t parent);

// Orphaned grandchildren become children of this process, which reaps them.
void adopt_orphans();

// SIGINT and SIGTERM reach the whole process group of a terminal; in keepers and workers they are ignored, ending
// them is the supervisor's business. SIGPIPE is ignored everywhere.
void ignore_group_signals();
void ignore_broken_pipes();

// As many descriptors as Sluice may ever need, or as many as this process may have.
void raise_descriptor_limit();
uint64_t descriptor_limit(); // of this process, and of keepers and workers

// Best effort: -900 for supervisor and keepers, which go last; 100 for workers.
constexpr int kOomKeep = -900;
constexpr int kOomWorker = 100;
void set_oom_score(int score);

} // namespace sluice::processes
