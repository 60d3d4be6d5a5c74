#include "house.h"
#include "supervisor/hooks/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

namespace sluice::hooks {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct CommandsTest : testing::Test {
  House house;
};

TEST_F(CommandsTest, RunsACommandWithItsVariablesUntilItExits) {
  CommandId id = house.start("sh -c 'echo $RTSP_PATH $RTSP_PORT $G1 \"$FROM_SERVER\" > $G2; exit 7'");
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  EXPECT_EQ(house.exits[0], std::pair(id, 7));
  EXPECT_EQ(house.file("out"), "cam 8554 one inherited\n");
  house.run_for(30 * kMillisecond);
  EXPECT_THAT(house.exits, SizeIs(1)) << "not again";
  house.commands->stop(id);
  EXPECT_THAT(house.log.lines, ElementsAre("INF [path cam] runOnReady command started",
                                           "INF [path cam] runOnReady command exited with code 7",
                                           "INF [path cam] runOnReady command stopped"));
}

TEST_F(CommandsTest, GivesCommandsNoCredentials) {
  house.start("sh -c 'env > $G2'");
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  EXPECT_THAT(house.file("out"), AllOf(HasSubstr("RTSP_PATH=cam\n"), HasSubstr("G1=one\n"), HasSubstr("RTSP_PORT=")));
  EXPECT_THAT(house.file("out"), Not(AnyOf(HasSubstr("CONFKEY"), HasSubstr("APIPASS"), HasSubstr("secret"))));
}

TEST_F(CommandsTest, ASignalIsExitCodeMinusOne) {
  CommandId id = house.start("sh -c 'kill -9 $$'");
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  EXPECT_EQ(house.exits[0], std::pair(id, -1));
}

TEST_F(CommandsTest, RestartsAfterAPause) {
  CommandId id = house.start("sh -c 'echo x >> $G2'", true);
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() >= 3; }));
  house.commands->stop(id);
  size_t runs = house.exits.size();
  house.run_for(50 * kMillisecond);
  EXPECT_THAT(house.exits, SizeIs(runs));
  EXPECT_EQ(house.file("out").size(), 2 * runs);
  EXPECT_THAT(house.log.lines, Contains("INF [path cam] runOnReady command restarted").Times(runs - 1));
  EXPECT_EQ(house.log.lines.back(), "INF [path cam] runOnReady command stopped");
}

TEST_F(CommandsTest, StopsWithSigint) {
  house.restart_with({.kill_after = 100 * kSecond, .look_every = kMillisecond});
  CommandId id = house.start("sh -c 'trap \"echo INT > $G2; exit\" INT; echo > ready; while :; do sleep 0.01; done'");
  ASSERT_TRUE(house.run_until([&] { return house.has("ready"); }));
  house.commands->stop(id);
  EXPECT_FALSE(house.commands->idle());
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle(); }));
  EXPECT_EQ(house.file("out"), "INT\n");
  EXPECT_THAT(house.exits, IsEmpty()) << "stopped, not exited by itself";
}

TEST_F(CommandsTest, KillsAGroupThatIgnoresSigint) {
  CommandId id = house.start("sh -c 'trap \"\" INT; sleep 1000 & echo $! > child; echo $$ > leader; wait'");
  ASSERT_TRUE(house.run_until([&] { return house.has("leader"); }));
  pid_t leader = house.pid("leader"), child = house.pid("child");
  Nanoseconds stopped = monotonic_now();
  house.commands->stop(id);
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle(); }));
  EXPECT_GE(monotonic_now() - stopped, House::kOptions.kill_after);
  EXPECT_FALSE(exists(leader));
  EXPECT_FALSE(exists(child));
}

TEST_F(CommandsTest, SendsSigintToTheWholeGroup) {
  house.restart_with({.kill_after = 100 * kSecond, .look_every = kMillisecond});
  CommandId id = house.start("sh -c 'echo $$ > leader; sleep 1000; :'");
  // Before that, the shell's fork may swallow the signal.
  ASSERT_TRUE(house.run_until([&] { return house.has("leader") && has_child(house.pid("leader"), "sleep"); }));
  house.commands->stop(id);
  EXPECT_TRUE(house.run_until([&] { return house.commands->idle(); })) << "the shell alone would wait for sleep";
}

TEST_F(CommandsTest, EndsWhatALeaderLeavesBehindEvenIfItIgnoresSigint) {
  CommandId id = house.start("sh -c 'sleep 1000 & echo $! > child'"); // a shell's background ignores SIGINT
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  EXPECT_EQ(house.exits[0], std::pair(id, 0));
  EXPECT_FALSE(house.commands->idle());
  pid_t child = house.pid("child");
  EXPECT_TRUE(exists(child));
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle(); }));
  EXPECT_FALSE(exists(child));
}

TEST_F(CommandsTest, RestartsOnlyWhenTheWholeGroupIsGone) {
  house.start(
      "sh -c 'test -e child && kill -0 $(cat child) 2>/dev/null && echo overlap > $G2; sleep 1000 & echo $! > child'",
      true);
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() >= 3; }));
  EXPECT_FALSE(house.has("out"));
  EXPECT_EQ(house.commands->running(), 1u);
}

TEST_F(CommandsTest, StopsAnEndedCommandsRemainsOnlyOnce) {
  CommandId id = house.start(
      "sh -c '(trap \"echo INT >> $G2\" INT; echo > ready; while :; do sleep 0.01; done) & while ! test -e ready; do "
      "sleep 0.01; done'");
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 1; }));
  house.commands->stop(id);
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle(); }));
  EXPECT_THAT(house.file("out"), AnyOf("", "INT\n"));
}

TEST_F(CommandsTest, TellsWhyACommandCantBeStarted) {
  CommandId quotes = house.start("ffmpeg -pass 'secret", true);
  CommandId missing = house.start("no-such-program secret");
  EXPECT_THAT(house.exits, IsEmpty()) << "not from within start()";
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() >= 3; }));
  EXPECT_THAT(house.exits, Contains(std::pair(missing, 0)).Times(1));
  EXPECT_THAT(house.exits, Contains(std::pair(quotes, 0)).Times(testing::Ge(2)));
  EXPECT_THAT(
      house.log.lines,
      AllOf(Contains("WAR [path cam] runOnReady command can't be started (ffmpeg): a single quote is not closed"),
            Contains("WAR [path cam] runOnReady command can't be started (no-such-program): No such file or "
                     "directory"),
            Each(Not(HasSubstr("secret")))));
}

TEST_F(CommandsTest, RefusesCommandsOverTheBoundAndSaysSoOnceASecond) {
  house.restart_with({.kill_after = kSecond, .look_every = kMillisecond, .max_commands = 2});
  house.start("sleep 1000");
  CommandId second = house.start("sleep 1000");
  for (int i = 0; i < 3; i++) EXPECT_EQ(house.start("sleep 1000"), CommandId::None);
  EXPECT_THAT(house.log.lines, Contains("WAR [path cam] runOnReady command is not started, since 2 commands are under "
                                        "way already")
                                   .Times(1));
  house.commands->stop(CommandId::None);
  house.commands->stop(second);
  ASSERT_TRUE(house.run_until([&] { return house.commands->running() == 1; }));
  EXPECT_NE(house.start("sleep 1000"), CommandId::None);
}

TEST_F(CommandsTest, StopsAllAndTellsWhenIdle) {
  house.start("sleep 1000");
  house.start("sh -c 'trap \"\" INT; echo $$ > leader; sleep 1000; sleep 1000'");
  house.start("false", true);
  ASSERT_TRUE(house.run_until([&] { return house.has("leader") && house.exits.size() == 1; }));
  house.commands->stop_all();
  EXPECT_EQ(house.start("true"), CommandId::None);
  EXPECT_EQ(house.idles, 0);
  ASSERT_TRUE(house.run_until([&] { return house.idles == 1; }));
  EXPECT_TRUE(house.commands->idle());
  house.run_for(30 * kMillisecond);
  EXPECT_EQ(house.idles, 1);
  EXPECT_THAT(house.exits, SizeIs(1));
}

TEST_F(CommandsTest, TellsIdleFromTheLoopWhenNothingRuns) {
  house.commands->stop_all();
  EXPECT_EQ(house.idles, 0);
  ASSERT_TRUE(house.run_until([&] { return house.idles == 1; }));
}

TEST_F(CommandsTest, HurriesWhenAskedTo) {
  house.restart_with({.kill_after = 100 * kSecond, .look_every = kMillisecond});
  house.start("sh -c 'trap \"\" INT; echo $$ > leader; sleep 1000; sleep 1000'");
  ASSERT_TRUE(house.run_until([&] { return house.has("leader"); }));
  house.commands->stop_all();
  house.run_for(20 * kMillisecond);
  EXPECT_FALSE(house.commands->idle());
  house.commands->kill_all();
  EXPECT_TRUE(house.run_until([&] { return house.idles == 1; }));
}

TEST_F(CommandsTest, KillsAllWhenItGoes) {
  house.start("sh -c 'trap \"\" INT; sleep 1000 & echo $! > child; echo $$ > leader; wait'");
  ASSERT_TRUE(house.run_until([&] { return house.has("leader"); }));
  pid_t leader = house.pid("leader"), child = house.pid("child");
  house.commands.reset();
  EXPECT_FALSE(exists(leader));
  EXPECT_TRUE(house.run_until([&] { return !exists(child); })) << "collected by the reaper";
}

TEST_F(CommandsTest, AListenerMayStopAndStartFromItsCallback) {
  house.on_exit = [&](CommandId id) {
    house.commands->stop(id);
    if (house.exits.size() < 5) house.start(house.exits.size() % 2 == 0 ? "true" : "no-such-program", true);
  };
  house.start("true", true);
  ASSERT_TRUE(house.run_until([&] { return house.exits.size() == 5; }));
  house.run_for(30 * kMillisecond);
  EXPECT_THAT(house.exits, SizeIs(5));
  EXPECT_TRUE(house.commands->idle());
}

TEST_F(CommandsTest, LeavesNoZombiesAndNoDescriptorsAfterManyQuickCommands) {
  house.commands->stop(house.start("true"));
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle(); }));
  size_t descriptors = descriptor_count();
  for (int i = 0; i < 200; i++) {
    CommandId id = house.start(i % 3 == 0 ? "sh -c 'sleep 1000 & sleep 1000'" : i % 3 == 1 ? "sleep 1000" : "true");
    if (i % 2 == 0) house.run_for(0);
    house.commands->stop(id);
  }
  ASSERT_TRUE(house.run_until([&] { return house.commands->idle() && children().empty(); }));
  EXPECT_EQ(descriptor_count(), descriptors);
}

} // namespace
} // namespace sluice::hooks
