#include "workers/rtsp/catch_up.h"

#include <gtest/gtest.h>

#include <random>

namespace sluice::rtsp {
namespace {

constexpr Nanoseconds kNow = 1000 * kSecond;

TEST(CatchUp, LetsOutTwiceAsMuchAsPasses) {
  CatchUp catch_up(kNow - 4 * kSecond, kNow);
  EXPECT_EQ(catch_up.release(kNow), kNow - 4 * kSecond); // what came in at that moment, and no more
  EXPECT_EQ(catch_up.release(kNow + 10 * kMillisecond), kNow - 4 * kSecond + 20 * kMillisecond);
  EXPECT_EQ(catch_up.release(kNow + 10 * kMillisecond), kNow - 4 * kSecond + 20 * kMillisecond);
  EXPECT_EQ(catch_up.release(kNow + 25 * kMillisecond), kNow - 4 * kSecond + 50 * kMillisecond);
  EXPECT_FALSE(catch_up.done());
}

TEST(CatchUp, IsDoneAfterAsLongAsItWasBehind) {
  CatchUp catch_up(kNow - 4 * kSecond, kNow);
  Nanoseconds now = kNow;
  while (!catch_up.done()) catch_up.release(now += kCatchUpInterval);
  EXPECT_EQ(now, kNow + 4 * kSecond);
  EXPECT_EQ(catch_up.release(now + kSecond), now + kSecond);
}

TEST(CatchUp, WithNothingToCatchUpIsDoneAtOnce) {
  CatchUp catch_up(kNow, kNow);
  EXPECT_EQ(catch_up.release(kNow), kNow);
  EXPECT_TRUE(catch_up.done());
  CatchUp late(kNow + kSecond, kNow); // a damaged ring's time
  EXPECT_EQ(late.release(kNow), kNow);
  EXPECT_TRUE(late.done());
}

TEST(CatchUp, AfterALongPauseOfTheWorkerReleasesLittleMoreThanLiveReadersGet) {
  CatchUp catch_up(kNow - 8 * kSecond, kNow);
  EXPECT_EQ(catch_up.release(kNow + 3 * kSecond), kNow - 5 * kSecond + 50 * kMillisecond);
}

TEST(CatchUp, NeverGoesBackNorBeyondNowAndAlwaysGains) {
  std::mt19937_64 random(1);
  for (int run = 0; run < 200; run++) {
    Nanoseconds behind = static_cast<Nanoseconds>(random() % (20 * kSecond)), now = kNow;
    CatchUp catch_up(kNow - behind, kNow);
    Nanoseconds before = kNow - behind;
    for (int i = 0; i < 100 && !catch_up.done(); i++) {
      Nanoseconds passed = static_cast<Nanoseconds>(random() % (300 * kMillisecond));
      Nanoseconds released = catch_up.release(now += passed);
      EXPECT_GE(released - before, std::min(passed, now - before));
      EXPECT_LE(released - before, 2 * passed);
      EXPECT_LE(released, now);
      before = released;
    }
  }
}

} // namespace
} // namespace sluice::rtsp
