#include "workers/base/crash_handler.h"

#include <execinfo.h>
#include <link.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <span>

#if defined(__has_feature)
#define SLUICE_FEATURE(name) __has_feature(name)
#else
#define SLUICE_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SLUICE_FEATURE(address_sanitizer) ||              \
    SLUICE_FEATURE(thread_sanitizer)
#define SLUICE_SANITIZED true
#else
#define SLUICE_SANITIZED false
#endif

namespace sluice::worker {
namespace {

constexpr size_t kMaxModules = 64; // the executable first
constexpr size_t kStackBytes = 128 * 1024;

struct Module {
  uintptr_t base, begin, end;
  char name[shm::kMaxModuleName];
};
std::array<Module, kMaxModules> modules;
size_t module_count = 0;
std::atomic<shm::CrashRecord *> crash_record = nullptr;
alignas(16) char handler_stack[kStackBytes];

int note_module(dl_phdr_info *info, size_t, void *) {
  if (module_count == kMaxModules) return 1;
  Module &module = modules[module_count];
  module.base = info->dlpi_addr;
  module.begin = UINTPTR_MAX;
  for (const ElfW(Phdr) & header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    if (header.p_type != PT_LOAD) continue;
    module.begin = std::min<uintptr_t>(module.begin, info->dlpi_addr + header.p_vaddr);
    module.end = std::max<uintptr_t>(module.end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  const char *slash = std::strrchr(info->dlpi_name, '/');
  const char *name = module_count == 0 ? shm::kExecutableModule : slash != nullptr ? slash + 1 : info->dlpi_name;
  std::strncpy(module.name, name, sizeof module.name - 1);
  module_count++;
  return 0;
}

uintptr_t interrupted_instruction(const void *context) {
  const auto &machine = static_cast<const ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  static_cast<void>(machine);
  return 0;
#endif
}

void note_frame(shm::CrashFrame &frame, uintptr_t address) {
  frame.offset = address;
  frame.module[0] = '\0';
  for (const Module &module : std::span(modules).first(module_count)) {
    if (address < module.begin || address >= module.end) continue;
    frame.offset = address - module.base;
    std::memcpy(frame.module, module.name, sizeof frame.module);
  }
}

void note_crash(shm::CrashRecord &record, int number, const siginfo_t &info, const void *context) {
  record.code = info.si_code;
  record.address = number == SIGSEGV || number == SIGBUS ? reinterpret_cast<uintptr_t>(info.si_addr) : 0;
  uintptr_t instruction = interrupted_instruction(context);
  note_frame(record.frame[0], instruction);
  record.frames = 1;
  record.signal = static_cast<uint32_t>(number); // all there is if unwinding a broken stack faults, too

  constexpr int kOfHandler = 8; // the handler's own frames come first
  std::array<void *, shm::kMaxCrashFrames + kOfHandler> stack;
  int depth = ::backtrace(stack.data(), static_cast<int>(stack.size()));
  auto frames = std::span(stack).first(static_cast<size_t>(std::max(depth, 0)));
  auto begin = std::ranges::find(frames, reinterpret_cast<void *>(instruction));
  if (begin == frames.end()) return;
  for (auto next = begin + 1; next != frames.end() && record.frames < shm::kMaxCrashFrames; ++next)
    note_frame(record.frame[record.frames++], reinterpret_cast<uintptr_t>(*next));
}

// SA_RESETHAND has restored the default by now: the signal, which is blocked in here, is fatal on return, and a fault
// in here is at once.
void on_fault(int number, siginfo_t *info, void *context) {
  if (shm::CrashRecord *record = crash_record.exchange(nullptr)) note_crash(*record, number, *info, context);
  ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), number);
}

} // namespace

void note_crashes_in(shm::CrashRecord *record) {
  crash_record = record;
}

void install_crash_handlers() {
  if (SLUICE_SANITIZED) return;
  ::dl_iterate_phdr(note_module, nullptr);
  std::array<void *, 1> first;
  ::backtrace(first.data(), 1); // loads what it needs, which a signal handler must not
  stack_t stack{};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof handler_stack;
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS}) ::sigaction(number, &action, nullptr);
}

} // namespace sluice::worker
