#include "workers/hls/mux/part_cutter.h"

#include <algorithm>

namespace sluice::hls {

int64_t PartCutter::target_for(int64_t duration) const {
  if (duration <= 0) return wanted_;
  int64_t within = wanted_ / duration * duration;
  if (within * 100 >= wanted_ * kShortest) return wanted_;
  return round_up((wanted_ / duration + 1) * duration);
}

bool PartCutter::continues(const PartCutter &fresh) const {
  constexpr int64_t kMost = int64_t{1} << 50;
  for (int64_t value : {target_, part_, longest_part_, longest_sample_, total_, count_}) {
    if (value < 0 || value > kMost) return false;
  }
  return wanted_ == fresh.wanted_ && step_ == fresh.step_;
}

void PartCutter::begin_segment() {
  constexpr int64_t kSteady = 110; // %: what uneven samples took of it, they may take again
  if (wanted_ > 0 && count_ > 0) {
    // Without the longest sample: a camera that stood still once.
    int64_t usual = count_ > 1 ? (total_ - longest_sample_) / (count_ - 1) : total_;
    target_ = target_for(usual);
    if (longest_part_ * 100 <= target_ * kSteady) target_ = std::max(target_, longest_part_);
  }
  part_ = longest_part_ = longest_sample_ = total_ = count_ = 0;
}

bool PartCutter::ends_before(int64_t duration) const {
  return wanted_ > 0 && part_ > 0 && part_ + duration > target_ && is_long_enough(part_);
}

bool PartCutter::add(int64_t duration) {
  part_ += duration;
  total_ += duration;
  longest_sample_ = std::max(longest_sample_, duration);
  count_++;
  if (wanted_ == 0) return false;
  if (target_ == 0) target_ = target_for(duration);
  if (part_ > target_) target_ = round_up(part_);
  longest_part_ = std::max(longest_part_, round_up(part_));
  constexpr int64_t kTolerance = 10; // % by which the next sample may be shorter
  return is_long_enough(part_) && part_ + duration * (100 - kTolerance) / 100 > target_;
}

} // namespace sluice::hls
