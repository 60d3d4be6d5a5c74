#include "workers/rtmp/protocol/timeline.h"

#include <gtest/gtest.h>

namespace sluice::rtmp {
namespace {

constexpr Nanoseconds kStart = 1'000 * kSecond;

// Milliseconds since the start.
int64_t at(Timeline &timeline, int64_t timestamp_ms, int64_t arrival_ms) {
  return (timeline.ring_time(timestamp_ms, 50 * kSecond + arrival_ms * kMillisecond) - kStart) / kMillisecond;
}

TEST(Timeline, KeepsTimestampsExactly) {
  Timeline timeline(kStart);
  EXPECT_EQ(at(timeline, 123'456, 0), 0);
  EXPECT_EQ(at(timeline, 123'489, 1), 33);
  EXPECT_EQ(at(timeline, 123'479, 2), 23);   // audio is behind video
  EXPECT_EQ(at(timeline, 123'522, 900), 66); // however late it comes
  EXPECT_EQ(timeline.jumps(), 0u);
}

TEST(Timeline, TakesWhatTheTimePassedExplains) {
  Timeline timeline(kStart);
  at(timeline, 0, 0);
  EXPECT_EQ(at(timeline, 60'000, 55'000), 60'000); // a minute of silence
  EXPECT_EQ(timeline.jumps(), 0u);
}

TEST(Timeline, GoesOnEvenlyWhenTimestampsBeginAnew) {
  Timeline timeline(kStart);
  at(timeline, 3'600'000, 0);
  at(timeline, 3'600'040, 40);
  EXPECT_EQ(at(timeline, 0, 80), 80);
  EXPECT_EQ(at(timeline, 40, 120), 120);
  EXPECT_EQ(timeline.jumps(), 1u);
}

TEST(Timeline, GoesOnEvenlyWhenTimestampsJumpAhead) {
  Timeline timeline(kStart);
  at(timeline, 0, 0);
  EXPECT_EQ(at(timeline, 10'000'000, 40), 40);
  EXPECT_EQ(at(timeline, 10'000'040, 80), 80);
  EXPECT_EQ(timeline.jumps(), 1u);
}

TEST(Timeline, JumpsBeginBehindTheLimits) {
  for (int64_t step : {-Timeline::kMaxBackMs, Timeline::kMaxAheadMs}) {
    Timeline timeline(kStart);
    at(timeline, 1'000'000, 0);
    EXPECT_EQ(at(timeline, 1'000'000 + step, 0), step);
    EXPECT_EQ(timeline.jumps(), 0u);
  }
  for (int64_t step : {-Timeline::kMaxBackMs - 1, Timeline::kMaxAheadMs + 1}) {
    Timeline timeline(kStart);
    at(timeline, 1'000'000, 0);
    EXPECT_EQ(at(timeline, 1'000'000 + step, 0), 0);
    EXPECT_EQ(timeline.jumps(), 1u);
  }
}

TEST(Timeline, AClockThatGoesBackPassesNoTime) {
  Timeline timeline(kStart);
  at(timeline, 0, 1'000);
  EXPECT_EQ(at(timeline, 100'000'000, 0), 0);
}

} // namespace
} // namespace sluice::rtmp
