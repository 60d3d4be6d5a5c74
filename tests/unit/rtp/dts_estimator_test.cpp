#include "common/rtp/dts_estimator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sluice::rtp {
namespace {

std::vector<Nanoseconds> run(DtsEstimator &estimator, const std::vector<Nanoseconds> &pts) {
  std::vector<Nanoseconds> dts;
  for (Nanoseconds value : pts) dts.push_back(estimator.next(value * kMillisecond) / kMillisecond);
  return dts;
}

TEST(DtsEstimator, WithoutReorderingDtsIsPts) {
  DtsEstimator estimator;
  EXPECT_EQ(run(estimator, {0, 40, 80, 200}), (std::vector<Nanoseconds>{0, 40, 80, 200}));
}

TEST(DtsEstimator, PyramidOfBPicturesGetsRegularDts) {
  DtsEstimator estimator;
  estimator.set_depth(2);
  estimator.set_frame_duration(40 * kMillisecond);
  EXPECT_EQ(run(estimator, {0, 160, 80, 40, 120, 320, 240, 200, 280}),
            (std::vector<Nanoseconds>{-80, -40, 0, 40, 80, 120, 160, 200, 240}));
}

TEST(DtsEstimator, LearnsTheDepthWhereItIsNotStated) {
  DtsEstimator estimator;
  std::vector<Nanoseconds> pts = {0, 120, 40, 80, 240, 160, 200, 360, 280, 320};
  std::vector<Nanoseconds> dts = run(estimator, pts);
  EXPECT_TRUE(std::is_sorted(dts.begin(), dts.end()));
  for (size_t i = 4; i < pts.size(); i++) {
    EXPECT_LE(dts[i], pts[i]);
    EXPECT_GE(dts[i], pts[i] - 240);
  }
  EXPECT_EQ(dts.back(), 320);
}

TEST(DtsEstimator, StartsAnewAfterALongStepBack) {
  DtsEstimator estimator;
  EXPECT_EQ(run(estimator, {100000, 100040, 50000, 50040}), (std::vector<Nanoseconds>{100000, 100040, 50000, 50040}));
}

// Any order in which no picture is preceded by more than `depth` later ones, and the first one is the earliest.
TEST(DtsEstimator, NeverExceedsPtsNorDecreasesWhenTheDepthIsRight) {
  std::mt19937 random(7);
  for (size_t depth = 0; depth <= DtsEstimator::kMaxDepth; depth++) {
    DtsEstimator estimator;
    estimator.set_depth(depth);
    estimator.set_frame_duration(40 * kMillisecond);
    std::vector<Nanoseconds> waiting; // in presentation order
    std::vector<size_t> passed;       // by how many later ones
    Nanoseconds next = 0;
    Nanoseconds last = -kSecond;
    for (int i = 0; i < 2000; i++) {
      while (waiting.size() < depth + 1) waiting.push_back(next++ * 40 * kMillisecond);
      // A picture that stays behind must not see more than `depth` others pass.
      passed.resize(waiting.size(), 0);
      size_t pick = i == 0 || passed[0] >= depth ? 0 : random() % waiting.size();
      Nanoseconds pts = waiting[pick];
      for (size_t k = 0; k < pick; k++) passed[k]++;
      passed.erase(passed.begin() + static_cast<ptrdiff_t>(pick));
      waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(pick));
      Nanoseconds dts = estimator.next(pts);
      ASSERT_LE(dts, pts);
      ASSERT_GE(dts, last);
      last = dts;
    }
  }
}

} // namespace
} // namespace sluice::rtp
