#include "supervisor/config/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

using testing::HasSubstr;

template <class T> std::optional<T> value_of(std::string_view text) {
  T value{};
  if (!parse_value(text, value)) return std::nullopt;
  return value;
}

TEST(Duration, HasTheSyntaxOfGo) {
  for (auto [text, nanoseconds] : {std::pair<const char *, Nanoseconds>("10s", 10 * kSecond),
                                   {"300ms", 300 * kMillisecond},
                                   {"1m30s", 90 * kSecond},
                                   {"1.5h", 5400 * kSecond},
                                   {"1h2m3s4ms5us6ns", 3723'004'005'006},
                                   {".5s", 500 * kMillisecond},
                                   {"1.s", kSecond},
                                   {"+1s", kSecond},
                                   {"0", 0},
                                   {"0s", 0},
                                   {"1\u00b5s", kMicrosecond}})
    EXPECT_EQ(value_of<Nanoseconds>(text), nanoseconds) << text;
  for (const char *text :
       {"", "10", "s", "10 s", "10S", "1d", ".s", "-1s", "1.2.3s", "1s2", "99999999999h", "1e3s", "5000000h", "++1s"})
    EXPECT_EQ(value_of<Nanoseconds>(text), std::nullopt) << text;
}

TEST(Duration, IsWrittenAsGoDoes) {
  for (auto [nanoseconds, text] : {std::pair<Nanoseconds, const char *>(0, "0s"),
                                   {10 * kSecond, "10s"},
                                   {90 * kSecond, "1m30s"},
                                   {3600 * kSecond, "1h0m0s"},
                                   {20 * kMillisecond, "20ms"},
                                   {1500 * kMillisecond, "1.5s"},
                                   {1500 * kMicrosecond, "1.5ms"},
                                   {5, "5ns"}}) {
    EXPECT_EQ(render_value(nanoseconds), text);
    EXPECT_EQ(value_of<Nanoseconds>(text), nanoseconds);
  }
}

TEST(Size, HasABinaryUnit) {
  for (auto [text, bytes] : {std::pair<const char *, uint64_t>("1B", 1),
                             {"50M", 50 << 20},
                             {"50mb", 50 << 20},
                             {"50MiB", 50 << 20},
                             {"1.5K", 1536},
                             {"2G", uint64_t{2} << 30},
                             {"1T", uint64_t{1} << 40},
                             {"1PB", uint64_t{1} << 50},
                             {"1E", uint64_t{1} << 60},
                             {"0", 0}})
    EXPECT_EQ(value_of<uint64_t>(text), bytes) << text;
  for (const char *text : {"", "50", "M", "-1M", "50 M", "50X", "50Mi", "50MBB", "0M", "0.1B", "9E", "1.2.3M", "1e3M"})
    EXPECT_EQ(value_of<uint64_t>(text), std::nullopt) << text;
}

TEST(Size, IsWrittenWithOneDecimal) {
  EXPECT_EQ(render_value(uint64_t{50} << 20), "50M");
  EXPECT_EQ(render_value(uint64_t{1536}), "1.5K");
  EXPECT_EQ(render_value(uint64_t{0}), "0");
  EXPECT_EQ(render_value(uint64_t{1023}), "1023B");
  EXPECT_EQ(render_value(uint64_t{1} << 60), "1E");
}

TEST(Number, IsDecimalAndInRange) {
  EXPECT_EQ(value_of<int>("512"), 512);
  EXPECT_EQ(value_of<int>("-1"), -1);
  for (const char *text : {"", "1.5", "0x10", "5x", "99999999999", " 1"}) EXPECT_EQ(value_of<int>(text), std::nullopt);
}

TEST(Boolean, IsYesOrNoInAnyCase) {
  for (const char *text : {"yes", "YES", "true", "True"}) EXPECT_EQ(value_of<bool>(text), true);
  for (const char *text : {"no", "No", "false", "FALSE"}) EXPECT_EQ(value_of<bool>(text), false);
  for (const char *text : {"", "1", "on", "y"}) EXPECT_EQ(value_of<bool>(text), std::nullopt);
}

TEST(Word, IsOneOfItsKind) {
  EXPECT_EQ(value_of<LogLevel>("warn"), LogLevel::Warn);
  EXPECT_EQ(value_of<Encryption>("optional"), Encryption::Optional);
  EXPECT_EQ(value_of<Encryption>("yes"), Encryption::Strict);
  EXPECT_EQ(value_of<Encryption>("false"), Encryption::No);
  EXPECT_EQ(value_of<HlsVariant>("lowLatency"), HlsVariant::LowLatency);
  EXPECT_EQ(value_of<SourceProtocol>("multicast"), SourceProtocol::Multicast);
  EXPECT_EQ(value_of<ReaderStart>("keyframe"), ReaderStart::Keyframe);
  EXPECT_EQ(value_of<LogFormat>("json"), LogFormat::Json);
}

template <class T> std::string message_for(std::string_view text) {
  T value{};
  if constexpr (ListValue<T>)
    return add_item(text, value).error().message;
  else
    return parse_value(text, value).error().message;
}

TEST(Word, IsRefusedWithWhatWouldBeRight) {
  EXPECT_EQ(message_for<LogLevel>("x"), "invalid log level: x; expected error, warn, info or debug");
  EXPECT_EQ(message_for<Encryption>("x"), "invalid encryption value: 'x'; expected no, optional or strict");
  EXPECT_EQ(message_for<HlsVariant>("x"), "invalid hlsVariant value: 'x'; expected mpegts, fmp4 or lowLatency");
  EXPECT_EQ(message_for<SourceProtocol>("x"), "invalid protocol 'x'; expected automatic, udp, multicast or tcp");
  EXPECT_EQ(message_for<Protocols>("x"), "invalid protocol: x; expected udp, multicast or tcp");
  EXPECT_EQ(message_for<LogDestinations>("x"), "invalid log destination: x; expected stdout, file or syslog");
  EXPECT_EQ(message_for<AuthMethods>("x"), "invalid authentication method: x; expected basic or digest");
  EXPECT_THAT(message_for<LogLevel>("a\nb"), HasSubstr("a\\nb;"));
  EXPECT_LT(message_for<LogLevel>(std::string(5000, 'x')).size(), 300u);
}

} // namespace
} // namespace sluice::config
