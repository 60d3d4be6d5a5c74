#include "common/base/log.h"
#include "common/loop/socket.h"
#include "supervisor/processes/family.h"
#include "supervisor/processes/slot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::processes {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Lines : public LogSink {
public:
  void write(LogLevel, std::string_view message) override { lines.emplace_back(message); }
  std::vector<std::string> lines;
};

std::string file_content(const std::string &name) {
  std::ifstream stream(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string title_of(pid_t pid) {
  std::string text = file_content("/proc/" + std::to_string(pid) + "/cmdline");
  return text.substr(0, text.find('\0'));
}

size_t descriptors_of(pid_t pid) {
  std::error_code error;
  auto folder = std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error);
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

// A zombie that nobody collects is as good as gone.
bool is_alive(pid_t pid) {
  std::string status = file_content("/proc/" + std::to_string(pid) + "/stat");
  size_t name_end = status.rfind(") ");
  return name_end != std::string::npos && status[name_end + 2] != 'Z' && status[name_end + 2] != 'X';
}

// A server of one slot, seen from within.
class House : public Slot::Listener {
public:
  explicit House(const std::string &name) : reaper_(loop_) {
    adopt_orphans();
    listener_ = std::move(*loop::listen_tcp(*loop::SocketAddress::parse("127.0.0.1:0")));
    slot_ = std::move(*Slot::create(
        loop_, reaper_, {.index = 0, .name = name, .slots = 2, .max_sessions = 10, .max_unread = kSecond / 2}, *this));
    slot_->start();
  }

  void on_worker_hello(Slot &slot) override {
    hellos++;
    int descriptors[] = {slot.session_table(), listener_.get()};
    slot.send(control::Welcome{}, descriptors);
  }
  void on_worker_message(Slot &, control::Message message, std::vector<Fd>) override {
    if (const auto *line = std::get_if<control::LogLine>(&message)) said.push_back(line->text);
  }
  void on_worker_gone(Slot &, const std::string &how) override { ends.push_back(how); }
  void on_slot_closed(Slot &) override { closed = true; }

  template <class F> bool run_until(Nanoseconds limit, F condition) {
    for (Nanoseconds end = monotonic_now() + limit; monotonic_now() < end; ::usleep(200)) {
      uv_run(loop_.raw(), UV_RUN_NOWAIT);
      if (condition()) return true;
    }
    return false;
  }
  bool serves(size_t incarnation) {
    return run_until(5 * kSecond, [&] { return hellos == incarnation && slot_->table().header().tick_ns != 0; });
  }
  bool command(const std::string &text, const std::string &answer = "") {
    size_t heard = said.size();
    slot_->send(control::Kick{64, text});
    return answer.empty() ||
           run_until(5 * kSecond, [&] { return said.size() > heard && said.back().starts_with(answer); });
  }
  Slot &slot() { return *slot_; }
  int listener() const { return listener_.get(); }

  size_t hellos = 0;
  bool closed = false;
  std::vector<std::string> said, ends;

private:
  loop::Loop loop_;
  Reaper reaper_;
  Fd listener_;
  std::unique_ptr<Slot> slot_;
};

struct SlotTest : testing::Test {
  SlotTest() { set_log(&log_, LogLevel::Info); }
  ~SlotTest() override { set_log(nullptr, LogLevel::Info); }
  Lines log_;
};

Fd connect_to(int listener) {
  auto address = *loop::SocketAddress::local_of(listener);
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), address.raw(), address.length()) != 0) std::abort();
  return client;
}

TEST_F(SlotTest, StartsKeeperAndWorkerWithTitlesAndEmptyEnvironment) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  ASSERT_TRUE(house.command("portrait", "environment empty"));
  EXPECT_THAT(house.said.back(), HasSubstr("group " + std::to_string(::getpgrp())));
  EXPECT_THAT(house.said.back(), HasSubstr("session " + std::to_string(::getsid(0))));
  EXPECT_THAT(house.said.back(), HasSubstr("keeper " + std::to_string(house.slot().keeper_pid())));
  EXPECT_EQ(title_of(house.slot().worker_pid()), "sluice: serve-0");
  EXPECT_EQ(title_of(house.slot().keeper_pid()), "sluice: serve-0 keeper");
  EXPECT_EQ(file_content("/proc/" + std::to_string(house.slot().worker_pid()) + "/comm"), "sluice: serve-0\n");
}

TEST_F(SlotTest, ReplacesAWorkerAtOnceHoweverOftenItIsKilledAndLeaksNoDescriptor) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  size_t descriptors = descriptors_of(house.slot().keeper_pid());
  std::vector<Nanoseconds> gaps;
  for (size_t i = 1; i <= 50; i++) {
    Fd client = connect_to(house.listener());
    ASSERT_EQ(::send(client.get(), "unread", 6, 0), 6);
    ASSERT_TRUE(house.command("accept", "accepted"));
    Nanoseconds killed = monotonic_now();
    ASSERT_EQ(::kill(house.slot().worker_pid(), SIGKILL), 0);
    ASSERT_TRUE(house.serves(i + 1));
    gaps.push_back(monotonic_now() - killed);
    char byte;
    EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0) << "a reset instead of an orderly end";
  }
  EXPECT_EQ(descriptors_of(house.slot().keeper_pid()), descriptors);
  EXPECT_EQ(house.slot().restarts(), 50U);
  EXPECT_EQ(house.ends.size(), 50U);
  EXPECT_THAT(log_.lines, Contains("[serve-0] worker killed by signal 9 (Killed), restarting"));
  std::sort(gaps.begin(), gaps.end());
  std::printf("from SIGKILL to serving again: median %.1f ms, longest %.1f ms\n", double(gaps[25]) / 1e6,
              double(gaps[49]) / 1e6);
  EXPECT_LT(gaps[25], 100 * kMillisecond);
}

TEST_F(SlotTest, NamesTheSignalOfACrash) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  house.command("crash");
  ASSERT_TRUE(house.serves(2));
  EXPECT_THAT(log_.lines, Contains("[serve-0] worker killed by signal 6 (Aborted), restarting"));
}

TEST_F(SlotTest, ReplacesAWorkerThatHangsWithinThreeSeconds) {
  for (const char *how : {"hang", "stop"}) {
    House house("serve-0");
    ASSERT_TRUE(house.serves(1));
    house.command(how);
    ASSERT_TRUE(house.run_until(3 * kSecond, [&] { return house.hellos == 2; })) << how;
    EXPECT_THAT(house.ends.back(), HasSubstr("watchdog"));
  }
}

TEST_F(SlotTest, RebuildsWhenTheKeeperIsKilledAndTakesItsWorkerAlong) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  pid_t keeper = house.slot().keeper_pid(), worker = house.slot().worker_pid();
  Nanoseconds killed = monotonic_now();
  ::kill(keeper, SIGKILL);
  ASSERT_TRUE(house.serves(2));
  EXPECT_LT(monotonic_now() - killed, 2 * kSecond);
  EXPECT_FALSE(is_alive(worker));
  EXPECT_NE(house.slot().keeper_pid(), keeper);
  EXPECT_THAT(log_.lines, Contains("[serve-0] keeper killed by signal 9 (Killed)"));
}

TEST_F(SlotTest, KillsAKeeperThatDoesNotObey) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  pid_t keeper = house.slot().keeper_pid();
  ::kill(keeper, SIGSTOP);
  house.slot().kill_worker("to see whether the keeper obeys");
  ASSERT_TRUE(house.serves(2));
  EXPECT_FALSE(is_alive(keeper));
}

TEST_F(SlotTest, LeavesNoProcessBehindWhenItsSupervisorIsKilled) {
  int report[2];
  ASSERT_EQ(::pipe(report), 0);
  pid_t supervisor = ::fork();
  if (supervisor == 0) {
    House house("serve-0");
    if (!house.serves(1)) ::_exit(1);
    pid_t pids[2] = {house.slot().keeper_pid(), house.slot().worker_pid()};
    if (::write(report[1], pids, sizeof pids) != sizeof pids) ::_exit(1);
    house.run_until(60 * kSecond, [] { return false; });
    ::_exit(0);
  }
  ::close(report[1]);
  pid_t pids[2] = {};
  ASSERT_EQ(::read(report[0], pids, sizeof pids), static_cast<ssize_t>(sizeof pids));
  ::close(report[0]);
  EXPECT_TRUE(is_alive(pids[0]) && is_alive(pids[1]));
  ::kill(supervisor, SIGKILL);
  ::waitpid(supervisor, nullptr, 0);
  for (int i = 0; i < 200 && (is_alive(pids[0]) || is_alive(pids[1])); i++) ::usleep(10'000);
  EXPECT_FALSE(is_alive(pids[0]));
  EXPECT_FALSE(is_alive(pids[1]));
}

TEST_F(SlotTest, SpacesOutWorkersThatDieBeforeTheyServe) {
  House house("doomed-0");
  house.run_until(700 * kMillisecond, [] { return false; });
  EXPECT_GE(house.ends.size(), 3U);
  EXPECT_LE(house.ends.size(), 7U); // after 0, 10, 30, 70, 150, 310, 630 ms
  EXPECT_THAT(log_.lines, Contains("[doomed-0] worker exited with status 7, restarting in 20 ms"));
}

TEST_F(SlotTest, KillsAWorkerOfAnotherVersion) {
  House house("stale-0");
  ASSERT_TRUE(house.run_until(5 * kSecond, [&] { return !house.ends.empty(); }));
  EXPECT_EQ(house.hellos, 0U);
  EXPECT_THAT(house.ends.back(), HasSubstr("it speaks version 2 of the control channel, expected 1"));
}

TEST_F(SlotTest, KillsAWorkerThatSendsRubbish) {
  House house("rubbish-0");
  ASSERT_TRUE(house.run_until(5 * kSecond, [&] { return !house.ends.empty(); }));
  EXPECT_THAT(house.ends.back(), HasSubstr("unknown control message 255"));
}

TEST_F(SlotTest, KillsAWorkerThatSpeaksForAnotherSlot) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  house.command("lie");
  ASSERT_TRUE(house.serves(2));
  EXPECT_THAT(house.ends.back(), HasSubstr("message Release: a session of another slot"));
}

TEST_F(SlotTest, KillsAWorkerThatDoesNotRead) {
  House house("deaf-0");
  ASSERT_TRUE(house.serves(1));
  std::string much(100'000, 'x');
  for (int i = 0; i < 200; i++) house.slot().send(control::Kick{64, much});
  ASSERT_TRUE(house.serves(2));
  EXPECT_THAT(house.ends.back(), HasSubstr("it does not read its control channel"));
}

TEST_F(SlotTest, LeavesInOrder) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  pid_t keeper = house.slot().keeper_pid(), worker = house.slot().worker_pid();
  house.slot().shut_down(false);
  ASSERT_TRUE(house.run_until(2 * kSecond, [&] { return house.closed; }));
  EXPECT_EQ(house.ends, std::vector<std::string>{"worker exited with status 0"});
  EXPECT_FALSE(is_alive(keeper));
  EXPECT_FALSE(is_alive(worker));
}

TEST_F(SlotTest, LeavesAlsoIfTheWorkerDoesNotWantTo) {
  House house("deaf-0");
  ASSERT_TRUE(house.serves(1));
  pid_t worker = house.slot().worker_pid();
  house.slot().shut_down(false);
  EXPECT_FALSE(house.run_until(200 * kMillisecond, [&] { return house.closed; }));
  house.slot().shut_down(true);
  ASSERT_TRUE(house.run_until(2 * kSecond, [&] { return house.closed; }));
  EXPECT_TRUE(house.run_until(kSecond, [&] { return !is_alive(worker); })); // its descriptors go first
}

TEST_F(SlotTest, KeeperAndWorkerIgnoreTheSignalsOfTheirGroup) {
  House house("serve-0");
  ASSERT_TRUE(house.serves(1));
  for (int number : {SIGINT, SIGTERM}) {
    ::kill(house.slot().keeper_pid(), number);
    ::kill(house.slot().worker_pid(), number);
  }
  EXPECT_TRUE(house.command("echo", "echo"));
  EXPECT_EQ(house.hellos, 1U);
}

} // namespace
} // namespace sluice::processes
