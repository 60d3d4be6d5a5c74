#include "common/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

namespace sluice {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

struct RecordingSink : LogSink {
  void write(LogLevel level, std::string_view message) override { lines.emplace_back(level, message); }
  std::vector<std::pair<LogLevel, std::string>> lines;
};

std::string read_available(int fd) {
  std::string all;
  char buffer[4096];
  while (true) {
    ssize_t count = read(fd, buffer, sizeof buffer);
    if (count <= 0) return all;
    all.append(buffer, static_cast<size_t>(count));
  }
}

class LogLine : public testing::Test {
protected:
  void SetUp() override {
    setenv("TZ", "UTC-2", 1); // two hours east of Greenwich
    tzset();
  }
  void TearDown() override {
    unsetenv("TZ");
    tzset();
  }
};

TEST_F(LogLine, StatesLocalTimeLevelAndMessage) {
  Nanoseconds time = 1656065472 * kSecond + 999 * kMillisecond; // 2022-06-24 10:11:12 UTC
  EXPECT_EQ(format_log_line(LogLevel::Info, time, "hello"), "2022/06/24 12:11:12 INF hello\n");
  EXPECT_EQ(format_log_line(LogLevel::Debug, time, ""), "2022/06/24 12:11:12 DEB \n");
  EXPECT_THAT(format_log_line(LogLevel::Warn, time, ""), HasSubstr(" WAR "));
  EXPECT_THAT(format_log_line(LogLevel::Error, time, ""), HasSubstr(" ERR "));
}

TEST_F(LogLine, CannotBeForgedByControlCharacters) {
  std::string line = format_log_line(LogLevel::Info, 0, "path 'x\n2022/06/24 10:11:12 ERR \x1b[2J\r\x7f\x9b' \xc2\x9b");
  EXPECT_THAT(line, EndsWith("path 'x\\n2022/06/24 10:11:12 ERR \\x1b[2J\\r\\x7f\\x9b' \\xc2\\x9b\n"));
}

TEST_F(LogLine, IsCutAtItsLargestSize) {
  std::string line = format_log_line(LogLevel::Info, 0, std::string(10000, 'x'));
  EXPECT_EQ(line.size(), kMaxLogLineBytes);
  EXPECT_THAT(line, EndsWith("xxx...\n"));
}

TEST(Printable, KeepsUtf8AndEscapesWhatIsNot) {
  EXPECT_EQ(printable("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("\xc3"), "\\xc3");                   // cut short
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");          // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80"); // a surrogate
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae"); // right-to-left override
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abc...");
  EXPECT_EQ(printable("ab\xc3\xa9"
                      "defg",
                      6),
            "ab...");
  EXPECT_EQ(printable("abcdef\n", 7), "abcd...");
}

TEST(Log, PassesFormattedLinesFromItsLevelOn) {
  RecordingSink sink;
  set_log(&sink, LogLevel::Warn);
  log(LogLevel::Info, "{}", 1);
  log(LogLevel::Warn, "{} of {}", 2, "three");
  log(LogLevel::Error, "four");
  set_log_level(LogLevel::Debug);
  log(LogLevel::Debug, "five");
  set_log(nullptr, LogLevel::Debug);
  log(LogLevel::Error, "six");
  using Line = std::pair<LogLevel, std::string>;
  EXPECT_EQ(sink.lines,
            (std::vector<Line>{{LogLevel::Warn, "2 of three"}, {LogLevel::Error, "four"}, {LogLevel::Debug, "five"}}));
}

TEST(StreamLog, WritesLinesToAPipe) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  {
    StreamLog stream(fds[1]);
    stream.write(LogLevel::Info, "one");
    stream.write(LogLevel::Error, "two");
  }
  close(fds[1]);
  EXPECT_THAT(read_available(fds[0]), MatchesRegex("[0-9/]+ [0-9:]+ INF one\n[0-9/]+ [0-9:]+ ERR two\n"));
  close(fds[0]);
}

// Works on blocking descriptors, as standard output is: each of these tests would hang if a write blocked.
void expect_drops_when_full(int write_end, int read_end) {
  StreamLog stream(write_end);
  std::string message(1000, 'x');
  for (int i = 0; i < 2000; i++) stream.write(LogLevel::Info, message); // 2 MB: more than any buffer here
  fcntl(read_end, F_SETFL, O_NONBLOCK);
  std::string before = read_available(read_end);
  stream.write(LogLevel::Info, "after");
  before += read_available(read_end);
  size_t complete = 0, dropped = 0;
  for (size_t at = 0; (at = before.find(message + "\n", at)) != std::string::npos; at++) complete++;
  size_t notice = before.find(" log lines were dropped");
  ASSERT_NE(notice, std::string::npos);
  dropped = std::stoul(before.substr(before.rfind(' ', notice - 1) + 1));
  EXPECT_EQ(complete + dropped, 2000u);
  EXPECT_GT(dropped, 0u);
  EXPECT_THAT(before, EndsWith(" INF after\n"));
}

TEST(StreamLog, DropsAndCountsWhatAFullPipeDoesNotTake) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  expect_drops_when_full(fds[1], fds[0]);
  close(fds[0]), close(fds[1]);
}

TEST(StreamLog, DropsAndCountsWhatAFullSocketDoesNotTake) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  expect_drops_when_full(fds[1], fds[0]);
  close(fds[0]), close(fds[1]);
}

TEST(StreamLog, LeavesTheSharedDescriptorBlocking) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  StreamLog stream(fds[1]);
  stream.write(LogLevel::Info, "one");
  EXPECT_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
  close(fds[0]), close(fds[1]);
}

TEST(StreamLog, AppendsToAFileWhereItStands) {
  std::string name = testing::TempDir() + "sluice-log-XXXXXX";
  int fd = mkstemp(name.data());
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "before\n", 7), 7);
  StreamLog(fd).write(LogLevel::Info, "one");
  close(fd);
  std::ifstream file(name);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  unlink(name.c_str());
  EXPECT_THAT(content, StartsWith("before\n"));
  EXPECT_THAT(content, EndsWith(" INF one\n"));
}

TEST(StreamLog, SurvivesADescriptorThatIsNotOpen) {
  StreamLog stream(-1);
  stream.write(LogLevel::Info, "one");
  stream.write(LogLevel::Info, "two");
}

} // namespace
} // namespace sluice
