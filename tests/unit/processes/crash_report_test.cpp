#include "supervisor/processes/crash_report.h"
#include "workers/base/crash_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace sluice::processes {

// One with a symbol, whose address the tests know. Its end is what a call that does not return would return to.
__attribute__((noinline, used)) int a_function_to_be_found(int number) {
  return number * 3;
}

__attribute__((noinline, used)) void a_function_that_faults(volatile int *where) {
  *where = 1;
}

__attribute__((noinline, used)) int a_function_without_end(int depth) { // until its depth overflows
  if (depth < 0) return 0;
  volatile char room[4096];
  room[depth % 4096] = 1;
  return a_function_without_end(depth + 1) + room[0];
}

namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

uint64_t offset_in_executable(const void *address) {
  uintptr_t base = 0;
  auto first = [](dl_phdr_info *info, size_t, void *out) {
    *static_cast<uintptr_t *>(out) = info->dlpi_addr;
    return 1;
  };
  ::dl_iterate_phdr(first, &base);
  return reinterpret_cast<uintptr_t>(address) - base;
}

TEST(CrashReport, NamesSignalAddressAndFunctions) {
  shm::CrashRecord record{};
  record.signal = SIGSEGV;
  record.code = SEGV_MAPERR;
  record.address = 0x18;
  record.frames = 3;
  std::strcpy(record.frame[0].module, shm::kExecutableModule);
  record.frame[0].offset = offset_in_executable(reinterpret_cast<const void *>(&a_function_to_be_found));
  std::strcpy(record.frame[1].module, "libc.so.6");
  record.frame[1].offset = 0x1234;
  record.frame[2].offset = 0x5;
  auto lines = crash_report(record, SIGSEGV);
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0], "crashed: signal 11 (Segmentation fault), access to 0x18");
  EXPECT_THAT(lines[1], HasSubstr("#0 sluice+0x"));
  EXPECT_THAT(lines[1], EndsWith(" sluice::processes::a_function_to_be_found(int)"));
  EXPECT_EQ(lines[2], "#1 libc.so.6+0x1234");
  EXPECT_EQ(lines[3], "#2 ?+0x5");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
// What a process leaves that dies in `fault`, and the signal it died of.
template <class Fault> std::pair<std::vector<std::string>, int> report_of(Fault fault) {
  void *shared = ::mmap(nullptr, sizeof(shm::CrashRecord), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto *record = new (shared) shm::CrashRecord{};
  pid_t child = ::fork();
  if (child == 0) {
    worker::install_crash_handlers();
    worker::note_crashes_in(record);
    fault();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  auto lines = crash_report(*record, signal);
  ::munmap(shared, sizeof(shm::CrashRecord));
  return {lines, signal};
}

TEST(CrashHandler, LeavesWhereAFaultWasAndTheSignalKills) {
  auto [lines, signal] = report_of([] { a_function_that_faults(reinterpret_cast<int *>(0x18)); });
  EXPECT_EQ(signal, SIGSEGV);
  ASSERT_THAT(lines, SizeIs(testing::Gt(3U)));
  EXPECT_EQ(lines[0], "crashed: signal 11 (Segmentation fault), access to 0x18");
  EXPECT_THAT(lines[1], HasSubstr(" sluice::processes::a_function_that_faults(int volatile*)"));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("LeavesWhereAFaultWas")));
}

TEST(CrashHandler, SurvivesAStackThatIsUsedUp) {
  auto [lines, signal] = report_of([] { ::_exit(a_function_without_end(0)); });
  EXPECT_EQ(signal, SIGSEGV);
  ASSERT_THAT(lines, SizeIs(1 + shm::kMaxCrashFrames));
  EXPECT_THAT(lines[9], HasSubstr("a_function_without_end(int)"));
}

TEST(CrashHandler, TellsOfAnAbort) {
  auto [lines, signal] = report_of([] { std::abort(); });
  EXPECT_EQ(signal, SIGABRT);
  ASSERT_THAT(lines, testing::Not(IsEmpty()));
  EXPECT_EQ(lines[0], "crashed: signal 6 (Aborted)");
  EXPECT_THAT(lines, testing::Contains(HasSubstr("TellsOfAnAbort")));
}
#endif

TEST(CrashReport, IsEmptyForAnotherSignalThanTheRecorded) {
  shm::CrashRecord record{};
  EXPECT_THAT(crash_report(record, SIGSEGV), IsEmpty());
  record.signal = SIGSEGV;
  EXPECT_THAT(crash_report(record, SIGKILL), IsEmpty());
}

TEST(CrashReport, BelievesNothing) {
  shm::CrashRecord record;
  std::memset(static_cast<void *>(&record), 0xff, sizeof record);
  record.signal = SIGABRT;
  auto lines = crash_report(record, SIGABRT);
  EXPECT_THAT(lines, SizeIs(1 + shm::kMaxCrashFrames));
  for (shm::CrashFrame &frame : record.frame) std::strcpy(frame.module, shm::kExecutableModule);
  lines = crash_report(record, SIGABRT);
  EXPECT_THAT(lines[1], EndsWith("#0 sluice+0xffffffffffffffff"));
}

} // namespace
} // namespace sluice::processes
