#include "workers/rtmp/protocol/timeline.h"

#include <algorithm>

namespace sluice::rtmp {

Nanoseconds Timeline::ring_time(int64_t timestamp_ms, Nanoseconds arrival) {
  if (!offset_ms_) {
    offset_ms_ = -timestamp_ms;
  } else {
    int64_t passed = std::max<Nanoseconds>(arrival - latest_arrival_, 0) / kMillisecond;
    int64_t step = timestamp_ms - latest_ms_;
    if (step < -kMaxBackMs || step > kMaxAheadMs + passed) {
      offset_ms_ = *offset_ms_ - step + passed;
      jumps_++;
    }
  }
  latest_ms_ = timestamp_ms;
  latest_arrival_ = arrival;
  return start_ + (timestamp_ms + *offset_ms_) * kMillisecond;
}

} // namespace sluice::rtmp
