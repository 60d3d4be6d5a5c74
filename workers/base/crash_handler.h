// On SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT and SIGSYS: notes the signal and the stack in shared memory, then lets
// the process die of the same signal. Costs nothing before. Builds with sanitizers keep their own handlers.
#pragma once

#include "ipc/shm/crash_record.h"

namespace sluice::worker {

// Once in a process, before it has other threads. `record` outlives the process's loop; null: the handlers note nothing
// yet.
void install_crash_handlers();
void note_crashes_in(shm::CrashRecord *record);

} // namespace sluice::worker
