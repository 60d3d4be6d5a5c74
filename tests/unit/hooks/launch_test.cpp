#include "house.h"
#include "supervisor/hooks/launch.h"
#include "supervisor/hooks/orphans.h"
#include "supervisor/processes/family.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

namespace sluice::hooks {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

struct LaunchTest : testing::Test {
  // What a shell script writes to "out".
  std::string output_of(const std::string &script, int expected_status = 0) {
    auto pid = launch({"sh", "-c", "exec > out 2>&1\n" + script}, {"PATH=/usr/bin:/bin"});
    EXPECT_TRUE(pid) << pid.error().message;
    int status = -1;
    EXPECT_EQ(::waitpid(*pid, &status, 0), *pid);
    EXPECT_EQ(status, expected_status);
    return house.file("out");
  }
  House house;
};

TEST_F(LaunchTest, LeaksNoDescriptors) {
  for (int fd : {50, 700}) ASSERT_EQ(::dup2(STDERR_FILENO, fd), fd);
  EXPECT_EQ(output_of("ls /proc/self/fd"), "0\n1\n2\n3\n"); // 3: what ls reads the folder with
  for (int fd : {50, 700}) ::close(fd);
}

TEST_F(LaunchTest, GivesAnEmptyStdin) {
  EXPECT_EQ(output_of("readlink /proc/self/fd/0; cat"), "/dev/null\n");
}

TEST_F(LaunchTest, GivesTheServersWorkingDirectoryAndOnlyTheGivenEnvironment) {
  EXPECT_EQ(output_of("test -e out && echo here"), "here\n");
  auto pid = launch({"/usr/bin/env"}, {});
  ASSERT_TRUE(pid);
  ::waitpid(*pid, nullptr, 0);
}

TEST_F(LaunchTest, MakesALeaderOfAGroup) {
  // pid, group, session
  std::string stat = output_of("cut -d' ' -f5,6 /proc/$$/stat; echo $$ $(cut -d' ' -f6 /proc/$PPID/stat)");
  EXPECT_THAT(stat, MatchesRegex("([0-9]+) ([0-9]+)\n[0-9]+ [0-9]+\n"));
  size_t line = stat.find('\n');
  EXPECT_EQ(stat.substr(0, line + 1), stat.substr(line + 1));
}

TEST_F(LaunchTest, ResetsSignalsAndMask) {
  auto former = ::signal(SIGPIPE, SIG_IGN);
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &some, &before);
  std::string status = output_of("sed -n /^Sig/p /proc/self/status");
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, former);
  EXPECT_THAT(status, AllOf(HasSubstr("SigBlk:\t0000000000000000"), HasSubstr("SigIgn:\t0000000000000000"),
                            HasSubstr("SigCgt:\t0000000000000000")));
}

TEST_F(LaunchTest, HasNoOomPrivilege) {
  EXPECT_EQ(output_of("cat /proc/self/oom_score_adj"), "0\n");
}

TEST_F(LaunchTest, FailsWhereTheProgramCantBeExecuted) {
  std::ofstream("script") << "echo no interpreter\n";
  std::ofstream("plain") << "x";
  ::chmod("script", 0755);
  ::chmod("plain", 0644);
  auto error_of = [](const std::string &program, const std::string &path) {
    auto pid = launch({program}, {"PATH=" + path});
    return pid ? "none" : pid.error().message;
  };
  EXPECT_EQ(error_of("nothing", "/nowhere:/bin"), "No such file or directory");
  EXPECT_EQ(error_of("", "/bin"), "No such file or directory");
  EXPECT_EQ(error_of("./plain", "/bin"), "Permission denied");
  EXPECT_EQ(error_of("plain", ".:/bin"), "Permission denied");
  EXPECT_EQ(error_of("./script", "/bin"), "Exec format error");
  EXPECT_TRUE(children().empty()) << "nothing is left of them";
}

TEST(ProgramCandidates, AreInTheFoldersOfTheCommandsPath) {
  EXPECT_THAT(program_candidates("a", {"X=1", "PATH=/b::/c"}), ElementsAre("/b/a", "./a", "/c/a"));
  EXPECT_THAT(program_candidates("./a", {"PATH=/b"}), ElementsAre("./a"));
  EXPECT_THAT(program_candidates("a", {}), ElementsAre("/usr/local/bin/a", "/usr/bin/a", "/bin/a"));
}

TEST_F(LaunchTest, ACommandGetsSigintWhenTheServerDies) {
  pid_t server = ::fork();
  if (server == 0) {
    auto pid = launch({"sh", "-c", "trap 'echo INT > out; exit' INT; echo > ready; while :; do sleep 0.01; done"},
                      {"PATH=/usr/bin:/bin"});
    ::pause();
    ::_exit(pid ? 0 : 1);
  }
  ASSERT_TRUE(house.run_until([&] { return house.has("ready"); }));
  ::kill(server, SIGKILL);
  EXPECT_TRUE(house.run_until([&] { return house.file("out") == "INT\n"; }));
}

TEST_F(LaunchTest, OrphansThatLeftTheirGroupAreKilledAtTheEnd) {
  auto kept = launch({"sleep", "1000"}, {"PATH=/usr/bin:/bin"});
  ASSERT_TRUE(kept);
  house.start(
      "sh -c 'setsid sh -c \"echo \\$\\$ > daemon; sleep 1000; :\" & while ! test -s daemon; do sleep 0.01; done'");
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  pid_t daemon = house.pid("daemon");
  house.commands->stop_all();
  ASSERT_TRUE(house.run_until([&] { return house.idles == 1; }));
  EXPECT_TRUE(exists(daemon)) << "out of the group's reach";
  EXPECT_EQ(kill_orphans({*kept}), 2u) << "the daemon and its child";
  EXPECT_FALSE(exists(daemon));
  EXPECT_EQ(children(), std::set{*kept});
  EXPECT_EQ(kill_orphans({}), 1u);
}

} // namespace
} // namespace sluice::hooks
