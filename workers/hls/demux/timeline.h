// Unrolls timestamps of 33 bits at 90 kHz (ISO/IEC 13818-1 section 2.4.3.7), which start again after 26.5 hours. All
// tracks of a stream share one, so that they stay together. Pure.
#pragma once

#include "common/base/time.h"

#include <optional>

namespace sluice::hls {

class Timeline {
public:
  // The nearest to the last one that it can be.
  Nanoseconds unroll(uint64_t timestamp) {
    last_ = last_ ? *last_ + difference(timestamp, *last_) : static_cast<int64_t>(timestamp & kMask);
    return to_nanoseconds(*last_);
  }
  // Relative to what unroll() has just given, which stays the last one.
  Nanoseconds unroll_near(uint64_t timestamp) const {
    return to_nanoseconds(last_.value_or(0) + difference(timestamp, last_.value_or(0)));
  }
  void reset() { last_.reset(); }

private:
  static constexpr uint64_t kMask = (uint64_t{1} << 33) - 1;

  static int64_t difference(uint64_t timestamp, int64_t last) {
    uint64_t ahead = (timestamp - static_cast<uint64_t>(last)) & kMask;
    return ahead > kMask / 2 ? static_cast<int64_t>(ahead) - static_cast<int64_t>(kMask) - 1
                             : static_cast<int64_t>(ahead);
  }
  // Rounded down; exact after multiples of 9 ticks.
  static Nanoseconds to_nanoseconds(int64_t ticks) {
    constexpr int64_t kTicks = 9, kUnit = 100'000;
    int64_t whole = ticks / kTicks, rest = ticks % kTicks;
    return whole * kUnit + rest * kUnit / kTicks;
  }

  std::optional<int64_t> last_;
};

} // namespace sluice::hls
