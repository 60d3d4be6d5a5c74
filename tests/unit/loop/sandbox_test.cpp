#include "common/loop/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

namespace sluice::loop {
namespace {

constexpr int kEntered = 42;

// How a process ends that does this in the sandbox, as waitpid() tells.
int end_of(const std::function<int()> &act) {
  pid_t pid = ::fork();
  if (pid == 0) {
    if (!enter_sandbox({.lowest_own_descriptor = 10})) ::_exit(1);
    ::_exit(act());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

bool is_killed(const std::function<int()> &act) {
  int status = end_of(act);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

bool is_fine(const std::function<bool()> &act) {
  int status = end_of([&] { return act() ? kEntered : 2; });
  return WIFEXITED(status) && WEXITSTATUS(status) == kEntered;
}

bool is_refused(const std::function<long()> &act) {
  return is_fine([&] { return act() < 0 && (errno == EPERM || errno == EACCES); });
}

TEST(Sandbox, ProgramsAndOtherProcessesAreDeadly) {
  EXPECT_TRUE(is_killed([] { return ::execl("/bin/true", "true", nullptr); }));
  EXPECT_TRUE(is_killed([] { return static_cast<int>(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }));
  EXPECT_TRUE(is_killed([] { return ::unshare(CLONE_NEWUSER); }));
  EXPECT_TRUE(is_killed([] { return ::chroot("/tmp"); }));
}

TEST(Sandbox, FilesAreNotWrittenMadeOrRemoved) {
  std::string name = ::testing::TempDir() + "sandbox_file";
  FILE *made = std::fopen(name.c_str(), "w");
  ASSERT_NE(made, nullptr);
  std::fclose(made);
  EXPECT_TRUE(is_refused([&] { return ::open(name.c_str(), O_WRONLY); }));
  EXPECT_TRUE(is_refused([&] { return ::open(name.c_str(), O_RDWR); }));
  EXPECT_TRUE(is_refused([&] { return ::open((name + "2").c_str(), O_RDONLY | O_CREAT, 0600); }));
  EXPECT_TRUE(is_refused([&] { return ::truncate(name.c_str(), 0); }));
  EXPECT_TRUE(is_refused([&] { return ::unlink(name.c_str()); }));
  EXPECT_TRUE(is_refused([&] { return ::rename(name.c_str(), (name + "2").c_str()); }));
  EXPECT_TRUE(is_refused([&] { return ::mkdir((name + "d").c_str(), 0700); }));
  EXPECT_TRUE(is_refused([&] { return ::chmod(name.c_str(), 0777); }));
  ::unlink(name.c_str());
}

// A memfd can be opened once more by whoever has it: for writing, although only a descriptor for reading was given.
TEST(Sandbox, MemoryThatWasGivenForReadingIsNotOpenedForWriting) {
  int memory = ::memfd_create("ring", MFD_CLOEXEC);
  ASSERT_GE(memory, 0);
  std::string name = "/proc/self/fd/" + std::to_string(memory);
  EXPECT_TRUE(is_refused([&] { return ::open(name.c_str(), O_RDWR); }));
  ::close(memory);
}

TEST(Sandbox, OthersGetNoSignalsAndKeepTheirDescriptors) {
  pid_t parent = ::getpid();
  EXPECT_TRUE(is_refused([&] { return ::kill(parent, SIGTERM); }));
  EXPECT_TRUE(is_refused([] { return ::dup2(0, 9); }));
  EXPECT_TRUE(is_fine([] { return ::dup2(0, 10) == 10; }));
  EXPECT_TRUE(is_refused([] { return ::setuid(1); }));
}

TEST(Sandbox, WhatAWorkerNeedsStays) {
  EXPECT_TRUE(is_fine([] {
    int hosts = ::open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    void *memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ran = false;
    std::thread([&ran] { ran = true; }).join();
    return hosts >= 0 && socket >= 0 && memory != MAP_FAILED && ran;
  }));
  int status = end_of([]() -> int { ::abort(); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

} // namespace
} // namespace sluice::loop
