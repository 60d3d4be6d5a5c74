#include "supervisor/logs/repetitions.h"

#include <gtest/gtest.h>

namespace sluice::logs {
namespace {

constexpr Nanoseconds kStart = 100 * kSecond;

TEST(Repetitions, AreSummarisedWhenTheirSecondIsOver) {
  Repetitions repetitions;
  uint32_t admitted = 0;
  for (int i = 0; i < 1000; i++)
    admitted +=
        repetitions.admit(LogLevel::Warn, fmt::format("[API] [conn 1.2.3.4:{}] refused {}", i, i), kStart) ? 1 : 0;
  EXPECT_EQ(admitted, Repetitions::kLinesPerSecond);
  EXPECT_TRUE(repetitions.holds_back());
  EXPECT_TRUE(repetitions.take_due(kStart + kSecond - 1).empty());
  auto due = repetitions.take_due(kStart + kSecond);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].level, LogLevel::Warn);
  EXPECT_EQ(due[0].text, "[API] [conn 1.2.3.4:999] refused 999 (… 899 more like this)");
  EXPECT_FALSE(repetitions.holds_back());
  EXPECT_TRUE(repetitions.admit(LogLevel::Warn, "[API] [conn 1.2.3.4:1] refused 1", kStart + kSecond));
}

TEST(Repetitions, OneTooManyIsTheLineItself) {
  Repetitions repetitions;
  for (uint32_t i = 0; i <= Repetitions::kLinesPerSecond; i++) repetitions.admit(LogLevel::Info, "same", kStart);
  auto due = repetitions.take_due(kStart + kSecond);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].text, "same");
}

TEST(Repetitions, LeaveOtherLinesAlone) {
  Repetitions repetitions;
  for (int i = 0; i < 1000; i++) repetitions.admit(LogLevel::Info, "[path a] 'x' started", kStart);
  EXPECT_FALSE(repetitions.admit(LogLevel::Info, "[path a] 'y' started", kStart));
  EXPECT_TRUE(repetitions.admit(LogLevel::Info, "[path a1] 'x' started", kStart));
  EXPECT_TRUE(repetitions.admit(LogLevel::Info, "[path a] 'x' stopped", kStart));
  EXPECT_TRUE(repetitions.admit(LogLevel::Info, "[paths a] 'x' started", kStart));
  EXPECT_TRUE(repetitions.admit(LogLevel::Info, "it can't be", kStart));
}

TEST(Repetitions, AFloodIsFoundAmongManyOtherLines) {
  Repetitions repetitions;
  uint32_t admitted = 0;
  for (int i = 0; i < 1000; i++) {
    admitted += repetitions.admit(LogLevel::Info, "same", kStart) ? 1 : 0;
    EXPECT_TRUE(repetitions.admit(LogLevel::Info, fmt::format("[path {}] created", i), kStart));
  }
  EXPECT_LE(admitted, 2 * Repetitions::kLinesPerSecond);
}

TEST(Repetitions, ASlowSeriesIsWholeAndBothSidesAreBounded) {
  Repetitions repetitions;
  for (int i = 0; i < 1000; i++)
    EXPECT_TRUE(repetitions.admit(LogLevel::Info, "tick", kStart + i * kSecond / Repetitions::kLinesPerSecond));
  for (int kind = 0; kind < 1000; kind++)
    for (int i = 0; i < 200; i++)
      repetitions.admit(LogLevel::Info, std::string(static_cast<size_t>(kind), 'x'), kStart + 100 * kSecond);
  EXPECT_LE(repetitions.take_due(INT64_MAX).size(), Repetitions::kKinds);
}

} // namespace
} // namespace sluice::logs
