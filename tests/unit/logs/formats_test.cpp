#include "supervisor/logs/json_line.h"
#include "supervisor/logs/syslog_log.h"
#include "supervisor/logs/terminal_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

namespace sluice::logs {
namespace {

using testing::HasSubstr;
using testing::Not;

class Lines : public testing::Test {
protected:
  void SetUp() override {
    setenv("TZ", "UTC-5:30", 1); // five and a half hours east of Greenwich
    tzset();
  }
  void TearDown() override {
    unsetenv("TZ");
    tzset();
  }
  static constexpr Nanoseconds kTime = 1656065472 * kSecond + 7 * kMillisecond; // 2022-06-24 10:11:12.007 UTC
  static std::string json(std::string_view message) {
    std::string line = format_json_line(LogLevel::Warn, kTime, message);
    std::string_view begin = R"({"time":"2022-06-24T15:41:12.007+05:30","level":"warn",)";
    EXPECT_TRUE(line.starts_with(begin)) << line;
    EXPECT_TRUE(line.ends_with("}\n")) << line;
    return line.substr(begin.size(), line.size() - begin.size() - 2);
  }
};

TEST_F(Lines, InJsonHaveTheirPrefixesAsMembers) {
  EXPECT_EQ(json("sluice v1"), R"("message":"sluice v1")");
  EXPECT_EQ(json("[RTSP] [conn [::1]:5] opened"), R"("component":"RTSP","message":"[conn [::1]:5] opened")");
  EXPECT_EQ(json("[RTSP] [conn 1.2.3.4:5] opened"), R"("component":"RTSP","conn":"1.2.3.4:5","message":"opened")");
  EXPECT_EQ(json("[RTSP] [session 123] destroyed"), R"("component":"RTSP","session":"123","message":"destroyed")");
  EXPECT_EQ(json("[HLS] [muxer a/b] created"), R"("component":"HLS","muxer":"a/b","message":"created")");
  EXPECT_EQ(json("[path x] [rtsp source] ready"), R"("path":"x","source":"rtsp","message":"ready")");
  EXPECT_EQ(json("[rtmp-12] worker exited"), R"("worker":"rtmp-12","message":"worker exited")");
}

TEST_F(Lines, InJsonTakeNoMembersFromTheText) {
  EXPECT_EQ(json("[path x] [path y] text"), R"("path":"x","message":"[path y] text")");
  EXPECT_EQ(json("[RTSP] [conn a:1] [c->s] OPTIONS"), R"("component":"RTSP","conn":"a:1","message":"[c->s] OPTIONS")");
  EXPECT_EQ(json("[RTSP]"), R"("message":"[RTSP]")");
  EXPECT_EQ(json("said [conn 1] "), R"("message":"said [conn 1] ")");
}

TEST_F(Lines, InJsonAreValidWhateverTheMessage) {
  EXPECT_EQ(json("\"\\\n\x01\xff caf\xc3\xa9"), R"("message":"\"\\\\n\\x01\\xff café")");
  EXPECT_EQ(json("[path \"] x"), R"("path":"\"","message":"x")");
}

TEST_F(Lines, InJsonAreBounded) {
  for (const std::string &message :
       {std::string(10'000, '"'), std::string(10'000, 'x'), "[path " + std::string(5000, '\\') + "] x",
        "[a] [conn " + std::string(5000, '\n') + "] [path " + std::string(5000, '"') + "] " + std::string(9000, '"')}) {
    std::string line = format_json_line(LogLevel::Info, kTime, message);
    EXPECT_LE(line.size(), kMaxLogLineBytes);
    EXPECT_TRUE(line.ends_with("\"}\n"));
  }
}

TEST_F(Lines, ForATerminalHaveTheLevelInColour) {
  EXPECT_EQ(format_terminal_line(LogLevel::Error, kTime, "INF ERR"),
            "2022/06/24 15:41:12 \x1b[31mERR\x1b[0m INF ERR\n");
  EXPECT_THAT(format_terminal_line(LogLevel::Info, kTime, "\x1b[2J"), Not(HasSubstr("\x1b[2J")));
}

TEST_F(Lines, OfSyslogHaveTheSeverityOfTheirLevel) {
  EXPECT_EQ(syslog_header(LogLevel::Info, kTime, 42), "<30>Jun 24 15:41:12 sluice[42]: ");
  EXPECT_EQ(syslog_header(LogLevel::Debug, kTime, 42).substr(0, 4), "<31>");
  EXPECT_EQ(syslog_header(LogLevel::Warn, kTime, 42).substr(0, 4), "<28>");
  EXPECT_EQ(syslog_header(LogLevel::Error, 0, 42), "<27>Jan  1 05:30:00 sluice[42]: ");
}

} // namespace
} // namespace sluice::logs
