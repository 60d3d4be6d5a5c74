// Each destination with what takes nothing: a pipe that nobody reads, a full disk, a syslog daemon that hangs or is
// gone.
#include "supervisor/logs/file_log.h"
#include "supervisor/logs/logs.h"
#include "supervisor/logs/syslog_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

namespace sluice::logs {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

constexpr Nanoseconds kPatience = 20 * kSecond;

class Destinations : public testing::Test {
protected:
  Destinations() {
    std::string name = testing::TempDir() + "sluice-logs-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~Destinations() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string &name) const { return folder_ + "/" + name; }
  std::string text(const std::string &name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static size_t count(const std::string &text, const std::string &what) {
    size_t found = 0;
    for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) found++;
    return found;
  }
  static bool wait_until(const std::function<bool()> &condition) {
    for (Nanoseconds end = monotonic_now() + kPatience; monotonic_now() < end; ::usleep(2000))
      if (condition()) return true;
    return false;
  }

  std::string folder_;
};

TEST_F(Destinations, AFileIsAppendedToAndItsOwnersGroupMayRead) {
  ::umask(0);
  for (const char *line : {"one", "two"}) {
    auto file = FileLog::open(path("log"));
    ASSERT_TRUE(file);
    (*file)->write(LogLevel::Info, line);
    (*file)->finish(kPatience);
  }
  EXPECT_THAT(text("log"), MatchesRegex(".* INF one\n.* INF two\n"));
  struct stat status {};
  ASSERT_EQ(::stat(path("log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(Destinations, AFileThatCannotBeOpenedSaysWhy) {
  auto file = FileLog::open(path("none/log"));
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, EndsWith("none/log: No such file or directory"));
}

TEST_F(Destinations, NoLineIsLostWhenAFileIsRenamed) {
  auto file = FileLog::open(path("log"));
  ASSERT_TRUE(file);
  for (int i = 0; i < 3000; i++) {
    if (i % 1000 == 500) {
      ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(path("log")); }));
      std::filesystem::rename(path("log"), path("old" + std::to_string(i)));
      (*file)->reopen();
    }
    (*file)->write(LogLevel::Info, fmt::format("line {}.", i));
  }
  (*file)->finish(kPatience);
  std::string all = text("old500") + text("old1500") + text("old2500") + text("log");
  for (int i = 0; i < 3000; i++) EXPECT_EQ(count(all, fmt::format("line {}.\n", i)), 1u) << i;
  EXPECT_EQ(count(all, "\n"), 3000u);
  EXPECT_THAT(text("log"), HasSubstr("line 2999."));
}

TEST_F(Destinations, AFileThatCannotBeOpenedAgainStaysOpen) {
  auto file = FileLog::open(path("log"));
  ASSERT_TRUE(file);
  std::filesystem::rename(path("log"), path("old"));
  std::filesystem::create_directory(path("log"));
  (*file)->reopen();
  std::string trouble;
  EXPECT_TRUE(wait_until([&] { return !(trouble = (*file)->take_trouble()).empty(); }));
  EXPECT_THAT(trouble, HasSubstr("can't be opened again"));
  (*file)->write(LogLevel::Info, "one");
  (*file)->finish(kPatience);
  EXPECT_THAT(text("old"), EndsWith(" INF one\n"));
}

TEST_F(Destinations, AFullDiskDelaysNobodyAndIsToldOf) {
  auto file = FileLog::open("/dev/full");
  ASSERT_TRUE(file);
  std::string trouble;
  for (int i = 0; i < 5000; i++) (*file)->write(LogLevel::Info, std::string(1000, 'x')); // more than the queue takes
  EXPECT_TRUE(wait_until([&] { return !(trouble = (*file)->take_trouble()).empty(); }));
  EXPECT_THAT(trouble, HasSubstr("No space left on device"));
  EXPECT_THAT((*file)->take_trouble(), IsEmpty());
}

TEST_F(Destinations, APipeThatNobodyReadsGetsWhatFitsAndTheCountOfTheRest) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  auto file = FileLog::adopt(Fd(fds[1]));
  ASSERT_TRUE(file);
  constexpr size_t kLines = 5000;
  std::string message(1000, 'x'), all;
  for (size_t i = 0; i < kLines; i++) (*file)->write(LogLevel::Info, message);
  auto read_all = [&] {
    char buffer[65536];
    for (ssize_t got = 0; (got = ::read(fds[0], buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<size_t>(got));
  };
  size_t before = 0; // until the queue has room again
  EXPECT_TRUE(wait_until([&] {
    before = all.size();
    read_all();
    return all.size() > 2 * FileLog::kMaxQueuedBytes || (before > FileLog::kMaxQueuedBytes && before == all.size());
  }));
  (*file)->write(LogLevel::Info, "after");
  EXPECT_TRUE(wait_until([&] { return read_all(), all.ends_with(" INF after\n"); }));
  size_t notice = all.find(" log lines were dropped");
  ASSERT_NE(notice, std::string::npos);
  size_t dropped = std::stoul(all.substr(all.rfind(' ', notice - 1) + 1));
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(count(all, message + "\n") + dropped, kLines);
  ::close(fds[0]);
}

// A daemon's socket.
class Daemon {
public:
  explicit Daemon(const std::string &path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0) << std::strerror(errno);
  }
  std::string next() {
    char buffer[8192];
    ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    return count < 0 ? "" : std::string(buffer, static_cast<size_t>(count));
  }

private:
  Fd fd_;
};

TEST_F(Destinations, SyslogGetsADatagramALine) {
  Daemon daemon(path("s"));
  SyslogLog syslog(path("s"));
  syslog.write(LogLevel::Info, "one");
  syslog.write(LogLevel::Error, "two");
  EXPECT_THAT(daemon.next(), MatchesRegex("<30>[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]+ sluice\\[[0-9]+\\]: one"));
  EXPECT_THAT(daemon.next(), MatchesRegex("<27>.*: two"));
  EXPECT_EQ(daemon.next(), "");
}

TEST_F(Destinations, ASyslogDaemonThatHangsIsNotWaitedFor) {
  Daemon daemon(path("s"));
  SyslogLog syslog(path("s"));
  for (int i = 0; i < 10'000; i++) syslog.write(LogLevel::Info, "line");
  size_t taken = 0, dropped = 0;
  while (!daemon.next().empty()) taken++;
  syslog.write(LogLevel::Info, "after");
  std::string notice = daemon.next();
  ASSERT_THAT(notice, HasSubstr(" log lines were dropped"));
  dropped = std::stoul(notice.substr(notice.find("]: ") + 3));
  EXPECT_EQ(taken + dropped, 10'000u);
  EXPECT_THAT(daemon.next(), EndsWith("]: after"));
}

TEST_F(Destinations, ASyslogDaemonThatWasRestartedIsFoundAgain) {
  SyslogLog syslog(path("s")); // there is none yet
  EXPECT_THAT(syslog.trouble(), HasSubstr("No such file"));
  syslog.write(LogLevel::Info, "lost");
  auto daemon = std::make_unique<Daemon>(path("s"));
  std::string first;
  EXPECT_TRUE(wait_until([&] { return syslog.write(LogLevel::Info, "one"), !(first = daemon->next()).empty(); }));
  EXPECT_THAT(first, HasSubstr(" log lines were dropped"));
  daemon = std::make_unique<Daemon>(path("s"));
  syslog.write(LogLevel::Info, "two");
  EXPECT_THAT(daemon->next(), EndsWith("]: two"));
}

TEST_F(Destinations, AllGetTheSameLinesAndMayBeChangedWhileTheyDo) {
  loop::Loop loop;
  Daemon daemon(path("s"));
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  {
    Logs logs(loop, fds[1], path("s"));
    config::Configuration wanted;
    wanted.log_destinations = {.to_stdout = true, .to_file = true, .to_syslog = true};
    wanted.log_file = path("log");
    logs.apply(std::move(*logs.open(wanted)), wanted);
    logs.write(LogLevel::Info, "[path x] one");
    wanted.log_file = path("none/log");
    EXPECT_FALSE(logs.open(wanted));
    wanted.log_destinations.to_file = false;
    wanted.log_format = config::LogFormat::Json;
    logs.apply(std::move(*logs.open(wanted)), wanted);
    logs.write(LogLevel::Info, "[path x] two");
  }
  char buffer[4096];
  ssize_t count = ::read(fds[0], buffer, sizeof buffer);
  ASSERT_GT(count, 0);
  EXPECT_THAT(std::string(buffer, static_cast<size_t>(count)),
              MatchesRegex(".* INF \\[path x\\] one\n\\{.*\"path\":\"x\",\"message\":\"two\"\\}\n"));
  EXPECT_TRUE(wait_until([&] { return text("log").ends_with(" INF [path x] one\n"); }));
  EXPECT_THAT(daemon.next(), EndsWith("]: [path x] one"));
  EXPECT_THAT(daemon.next(), EndsWith("\"path\":\"x\",\"message\":\"two\"}"));
  ::close(fds[0]), ::close(fds[1]);
}

} // namespace
} // namespace sluice::logs
