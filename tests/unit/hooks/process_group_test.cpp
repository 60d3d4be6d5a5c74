#include "supervisor/hooks/process_group.h"
#include "supervisor/processes/family.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

namespace sluice::hooks {
namespace {

// Without a descriptor left there is no pidfd, as on kernels before 6.9 there is none for groups.
ProcessGroup group_of(pid_t leader, bool with_handle) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none{0, before.rlim_max};
  if (!with_handle) ::setrlimit(RLIMIT_NOFILE, &none);
  ProcessGroup group(leader);
  ::setrlimit(RLIMIT_NOFILE, &before);
  return group;
}

// Returns when the child has become a leader.
template <class F> pid_t start_leader(F live) {
  pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    live();
    ::_exit(0);
  }
  ::setpgid(pid, pid);
  return pid;
}

void sleep_for_ever() {
  for (;;) ::pause();
}

struct ProcessGroupTest : testing::TestWithParam<bool> {
  ProcessGroupTest() { processes::adopt_orphans(); }
};

TEST_P(ProcessGroupTest, ExistsUntilItsLastMemberWasWaitedFor) {
  pid_t leader = start_leader([] {
    if (::fork() == 0) sleep_for_ever();
  });
  ProcessGroup group = group_of(leader, GetParam());
  EXPECT_TRUE(group.exists());
  ASSERT_EQ(::waitpid(leader, nullptr, 0), leader);
  group.leader_gone();
  EXPECT_TRUE(group.exists());
  group.signal(SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PGID, static_cast<id_t>(leader), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(group.exists()) << "a zombie";
  ASSERT_EQ(::waitpid(info.si_pid, nullptr, 0), info.si_pid);
  EXPECT_FALSE(group.exists());
  group.signal(SIGKILL);
  EXPECT_FALSE(group.exists());
}

TEST_P(ProcessGroupTest, AlsoReachesALeaderThatLeftIt) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  pid_t leader = start_leader([&] {
    pid_t other = ::fork();
    if (other == 0) sleep_for_ever();
    ::setpgid(other, other);
    ::setpgid(0, other);
    ::kill(other, SIGKILL);
    [[maybe_unused]] ssize_t written = ::write(ready[1], "x", 1);
    sleep_for_ever();
  });
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(::getpgid(leader), leader);
  ProcessGroup group = group_of(leader, GetParam());
  EXPECT_TRUE(group.exists());
  group.signal(SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(leader, &status, 0), leader);
  EXPECT_EQ(status, SIGKILL);
  group.leader_gone();
  EXPECT_FALSE(group.exists());
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  for (int fd : ready) ::close(fd);
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutHandle, ProcessGroupTest, testing::Bool());

} // namespace
} // namespace sluice::hooks
