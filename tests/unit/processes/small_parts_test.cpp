#include "ipc/shm/session_table.h"
#include "supervisor/processes/log_limit.h"
#include "supervisor/processes/restart_spacing.h"
#include "supervisor/processes/watchdog.h"
#include "supervisor/processes/worker_claims.h"

#include <gtest/gtest.h>

namespace sluice::processes {
namespace {

TEST(Watchdog, BarksAfterTwoSecondsWithoutATick) {
  Watchdog watchdog;
  watchdog.reset(0);
  EXPECT_FALSE(watchdog.look(1, 0));
  Nanoseconds now = 0;
  while (!watchdog.look(1, now += Watchdog::kInterval)) ASSERT_LT(now, 3 * kSecond);
  EXPECT_GE(now, 2 * kSecond);
}

TEST(Watchdog, IsQuietWhileTicksCome) {
  Watchdog watchdog;
  watchdog.reset(0);
  for (int i = 1; i < 100; i++) EXPECT_FALSE(watchdog.look(i, i * Watchdog::kInterval));
}

TEST(Watchdog, DoesNotCountTimeInWhichItDidNotRunItself) {
  Watchdog watchdog;
  watchdog.reset(0);
  EXPECT_FALSE(watchdog.look(1, kSecond));
  EXPECT_FALSE(watchdog.look(1, 1000 * kSecond));
  EXPECT_FALSE(watchdog.look(2, 1000 * kSecond + Watchdog::kInterval));
}

TEST(Watchdog, GivesAStartingWorkerMoreTime) {
  Watchdog watchdog;
  watchdog.reset(0);
  Nanoseconds now = 0;
  while (!watchdog.look(0, now += Watchdog::kInterval)) ASSERT_LT(now, 10 * kSecond);
  EXPECT_EQ(now, Watchdog::kStarting);
}

TEST(RestartSpacing, DoublesUpToFiveSecondsUntilOneServed) {
  RestartSpacing spacing;
  Nanoseconds expected = 10 * kMillisecond;
  for (int i = 0; i < 20; i++, expected = std::min(2 * expected, 5 * kSecond))
    EXPECT_EQ(spacing.on_death(false), expected);
  EXPECT_EQ(spacing.on_death(true), 0);
  EXPECT_EQ(spacing.on_death(true), 0);
  EXPECT_EQ(spacing.on_death(false), 10 * kMillisecond);
}

TEST(LogLimit, CountsWhatItLeavesOut) {
  LogLimit limit;
  Nanoseconds now = 100 * kSecond;
  uint32_t printed = 0;
  for (uint32_t i = 0; i < LogLimit::kLinesPerSecond + 5; i++) printed += limit.on_line(now).print ? 1 : 0;
  EXPECT_EQ(printed, LogLimit::kLinesPerSecond);
  LogLimit::Verdict verdict = limit.on_line(now + kSecond);
  EXPECT_TRUE(verdict.print);
  EXPECT_EQ(verdict.omitted, 5U);
  EXPECT_EQ(limit.on_line(now + kSecond).omitted, 0U);
}

constexpr uint64_t kOwn = 5 << shm::kSlotBits | 1;     // a session of slot 1
constexpr uint64_t kForeign = 5 << shm::kSlotBits | 2; // of slot 2

bool accepted(const control::Message &message, size_t descriptors = 0) {
  return check_claims(1, 3, message, descriptors).has_value();
}

TEST(WorkerClaims, AcceptsWhatAWorkerMaySay) {
  EXPECT_TRUE(accepted(control::Hello{}));
  EXPECT_TRUE(accepted(control::LogLine{1, "text"}));
  EXPECT_TRUE(accepted(control::Read{.request = 1, .session = kOwn, .path = "path", .client = "client"}));
  EXPECT_TRUE(accepted(control::Release{kOwn}));
  EXPECT_TRUE(accepted(control::HandOver{.slot = 2, .session = kForeign}, 1));
}

TEST(WorkerClaims, RefusesSessionsOfOthers) {
  EXPECT_FALSE(accepted(control::Publish{.request = 1, .session = kForeign, .path = "path"}));
  EXPECT_FALSE(accepted(control::Read{.request = 1, .session = kForeign, .path = "path"}));
  EXPECT_FALSE(accepted(control::Record{1, kForeign}));
  EXPECT_FALSE(accepted(control::PublisherPaused{kForeign}));
  EXPECT_FALSE(accepted(control::Release{kForeign}));
  EXPECT_FALSE(accepted(control::Release{1})); // nothing but the slot: no session has such an id
}

TEST(WorkerClaims, RefusesHandOversToNowhere) {
  EXPECT_FALSE(accepted(control::HandOver{.slot = 2, .session = kForeign}, 0));
  EXPECT_FALSE(accepted(control::HandOver{.slot = 2, .session = kForeign}, 2));
  EXPECT_FALSE(accepted(control::HandOver{.slot = 1, .session = kOwn}, 1));
  EXPECT_FALSE(accepted(control::HandOver{.slot = 3, .session = 5 << shm::kSlotBits | 3}, 1));
  EXPECT_FALSE(accepted(control::HandOver{.slot = 2, .session = kOwn}, 1));
}

TEST(WorkerClaims, RefusesMessagesOfTheSupervisorAndStrayDescriptors) {
  EXPECT_FALSE(accepted(control::Welcome{}));
  EXPECT_FALSE(accepted(control::Kick{kOwn, ""}));
  EXPECT_FALSE(accepted(control::Shutdown{}));
  EXPECT_FALSE(accepted(control::Release{kOwn}, 1));
}

TEST(WorkerClaims, RefusesOversizedTextsAndUnknownLevels) {
  EXPECT_FALSE(accepted(control::Describe{.path = std::string(kMaxPathNameBytes + 1, 'a')}));
  EXPECT_FALSE(accepted(control::Describe{.path = "a", .client = std::string(kMaxClientBytes + 1, 'a')}));
  EXPECT_TRUE(accepted(control::StrayDatagram{.address = "1.2.3.4:5"}));
  EXPECT_FALSE(accepted(control::StrayDatagram{.address = std::string(kMaxClientBytes + 1, 'a')}));
  EXPECT_FALSE(accepted(control::LogLine{4, ""}));
}

} // namespace
} // namespace sluice::processes
