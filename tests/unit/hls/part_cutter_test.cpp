#include "workers/hls/mux/part_cutter.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::hls {
namespace {

constexpr int64_t kWanted = 18000; // 200 ms
constexpr int64_t kStep = 450;     // 5 ms

// Cuts samples as a segmenter does.
struct Cut {
  std::vector<int64_t> parts;
  std::vector<int64_t> targets; // as each was finished
  PartCutter cutter{kWanted, kStep};

  void add(int64_t duration) {
    if (cutter.ends_before(duration)) finish();
    if (cutter.add(duration)) finish();
  }
  void finish() {
    parts.push_back(cutter.part());
    targets.push_back(cutter.target());
    cutter.begin_part();
  }
  void expect_legal() const {
    for (size_t i = 0; i < parts.size(); i++) {
      EXPECT_LE(parts[i], targets[i]) << i;
      EXPECT_GE(parts[i] * 100, 85 * targets[i]) << i;
    }
  }
};

TEST(PartCutter, TakesTheWantedDurationWhereSamplesFitIt) {
  for (int64_t duration : {1500, 1800, 3000, 3600}) {
    Cut cut;
    for (int i = 0; i < 200; i++) cut.add(duration);
    EXPECT_EQ(cut.cutter.target(), kWanted) << duration;
    EXPECT_EQ(cut.parts[0], kWanted) << duration;
    cut.expect_legal();
  }
}

TEST(PartCutter, TakesTheNextMultipleWhereTheyDoNot) {
  Cut film; // 24 Hz
  for (int i = 0; i < 100; i++) film.add(3750);
  EXPECT_EQ(film.parts[3], 5 * 3750);
  EXPECT_EQ(film.cutter.target(), 18900);
  film.expect_legal();
  Cut slow; // 5 s
  for (int i = 0; i < 5; i++) slow.add(450000);
  EXPECT_EQ(slow.parts, std::vector<int64_t>(5, 450000));
  slow.expect_legal();
}

TEST(PartCutter, ObeysTheRuleWhereSamplesComeUnevenly) {
  Cut cut;
  uint32_t random = 1;
  for (int i = 0; i < 5000; i++) {
    random = random * 1664525 + 1013904223;
    cut.add(500 + random % 6000);
    if (i % 50 == 49) {
      if (cut.cutter.part() > 0) cut.cutter.begin_part(); // the last of a segment may be short
      cut.cutter.begin_segment();
    }
  }
  EXPECT_GT(cut.parts.size(), 500u);
  cut.expect_legal();
}

TEST(PartCutter, ForgetsAStallWithTheNextSegment) {
  Cut cut;
  for (int i = 0; i < 30; i++) cut.add(3000);
  cut.add(270000);
  EXPECT_GE(cut.cutter.target(), 270000);
  cut.cutter.begin_part();
  cut.cutter.begin_segment();
  EXPECT_EQ(cut.cutter.target(), kWanted);
}

TEST(PartCutter, NeverCutsWithoutAWantedDuration) {
  PartCutter cutter(0, kStep);
  for (int i = 0; i < 1000; i++) {
    EXPECT_FALSE(cutter.ends_before(3000));
    EXPECT_FALSE(cutter.add(3000));
  }
}

} // namespace
} // namespace sluice::hls
