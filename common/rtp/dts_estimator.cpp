#include "common/rtp/dts_estimator.h"

#include <algorithm>

namespace sluice::rtp {

void DtsEstimator::set_depth(size_t depth) {
  depth_ = std::min(depth, kMaxDepth);
}

void DtsEstimator::set_frame_duration(Nanoseconds duration) {
  if (duration > 0) frame_duration_ = duration;
}

void DtsEstimator::restart(Nanoseconds pts) {
  started_ = true;
  for (size_t i = 0; i < largest_.size(); i++) largest_[i] = pts - static_cast<Nanoseconds>(i + 1) * frame_duration_;
  last_dts_ = largest_.back();
}

// How many larger ones were there.
size_t DtsEstimator::insert(Nanoseconds pts) {
  size_t place = 0;
  while (place < largest_.size() && largest_[place] > pts) place++;
  for (size_t i = largest_.size(); i-- > place + 1;) largest_[i] = largest_[i - 1];
  if (place < largest_.size()) largest_[place] = pts;
  return place;
}

Nanoseconds DtsEstimator::next(Nanoseconds pts) {
  if (!started_ || pts < last_dts_ - kJump) restart(pts);
  depth_ = std::max(depth_, std::min(insert(pts), kMaxDepth));
  former_dts_ = last_dts_;
  return with_depth(0);
}

Nanoseconds DtsEstimator::with_depth(size_t depth) {
  last_dts_ = std::max(former_dts_, largest_[std::max(depth_, std::min(depth, kMaxDepth))]);
  return last_dts_;
}

} // namespace sluice::rtp
