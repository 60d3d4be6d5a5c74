#include "workers/hls/mux/part_cutter.h"

#include <algorithm>

namespace sluice::hls {

int64_t PartCutter::target_for(int64_t duration) const {
  if (duration <= 0) return wanted_;
  int64_t within = wanted_ / duration * duration;
  if (within * 100 >= wanted_ * kShortest) return wanted_;
  return round_up((wanted_ / duration + 1) * duration);
}

void PartCutter::begin_segment() {
  if (wanted_ > 0 && count_ > 0) target_ = std::max(target_for(total_ / count_), longest_);
  part_ = longest_ = total_ = count_ = 0;
}

bool PartCutter::ends_before(int64_t duration) const {
  return wanted_ > 0 && part_ > 0 && part_ + duration > target_ && is_long_enough(part_);
}

bool PartCutter::add(int64_t duration) {
  part_ += duration;
  total_ += duration;
  count_++;
  if (wanted_ == 0) return false;
  if (target_ == 0) target_ = target_for(duration);
  if (part_ > target_) target_ = round_up(part_);
  longest_ = std::max(longest_, part_);
  constexpr int64_t kTolerance = 10; // % by which the next sample may be shorter
  return is_long_enough(part_) && part_ + duration * (100 - kTolerance) / 100 > target_;
}

} // namespace sluice::hls
