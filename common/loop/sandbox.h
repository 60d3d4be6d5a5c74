// Takes from this process, for good, what a process that parses strangers' bytes never needs: new privileges, programs,
// other processes' memory, files to write. Reading files, sockets, memory and threads stay. With Landlock, where the
// kernel has it, and seccomp.
#pragma once

#include "common/base/result.h"

namespace sluice::loop {

struct SandboxOptions {
  int lowest_own_descriptor = 0; // dup2() and dup3() onto lower numbers are refused: they are another process's, too
};

// What is forbidden ends the process with SIGSYS (execve, ptrace and what else only an intruder would try), or fails
// with EPERM (opening for writing, making or removing files, signals to others). Error: the kernel won't have it.
Result<void> enter_sandbox(const SandboxOptions &options);

} // namespace sluice::loop
