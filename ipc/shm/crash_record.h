// What a worker that dies of a fault leaves in its slot's table: the signal and where it was. Written by a signal
// handler, read by the supervisor, who believes none of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice::shm {

constexpr size_t kMaxCrashFrames = 32;
constexpr size_t kMaxModuleName = 24; // with its NUL
constexpr const char *kExecutableModule = "sluice";

struct CrashFrame {
  uint64_t offset; // in the module; the absolute address if that is unknown. Innermost frame: of the instruction,
                   // others: of where the call returns to
  char module[kMaxModuleName]; // NUL-terminated; "" = unknown
};

struct CrashRecord {
  std::atomic<uint32_t> signal; // stored last; 0: none
  int32_t code;                 // siginfo's si_code: 0 and below were sent by a process
  uint64_t address;             // that was accessed, of SIGSEGV and SIGBUS
  uint32_t frames;
  uint32_t reserved;
  CrashFrame frame[kMaxCrashFrames];
};
static_assert(sizeof(CrashRecord) == 24 + kMaxCrashFrames * 32);

} // namespace sluice::shm
