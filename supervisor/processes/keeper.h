// The keeper of a slot: starts the slot's worker by cloning itself with a shared descriptor table, waits for it,
// reports its end. One thread, allocates nothing after its start, never runs a loop, parses nothing but orders of
// fixed size from the supervisor.
//
// Descriptors: 0 to 2 as the supervisor's; 3 the orders' socket (SOCK_SEQPACKET); 4 the living worker's control
// channel; 5 a signalfd. All above belong to the workers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

namespace sluice::processes {

constexpr int kOrderFd = 3;
constexpr int kControlFd = 4;
constexpr int kSignalFd = 5;
constexpr int kLastKeeperFd = 5;

// From the supervisor. Start carries the worker's end of a control channel as its one descriptor.
struct Order {
  enum class Kind : uint32_t { Start, Kill, Leave };
  Kind kind;
  uint32_t reserved;
  uint64_t epoch; // of Start and Kill
};

// To the supervisor.
struct Report {
  enum class Kind : uint32_t { Started, Exited, Failed };
  Kind kind;
  int32_t pid;
  uint64_t epoch;
  int32_t status; // Exited: as of waitpid; Failed: errno
  uint32_t reserved;
};
static_assert(sizeof(Order) == 16 && sizeof(Report) == 24);

// What a worker does with its control channel. Leaves only by _exit.
using WorkerEntry = void (*)(int control_fd);

// The whole life of a keeper process, from main on. `slot` is the slot's name: "rtsp-0".
[[noreturn]] void run_keeper(std::string_view slot, WorkerEntry worker);

} // namespace sluice::processes
