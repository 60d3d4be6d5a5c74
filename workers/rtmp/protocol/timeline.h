// Puts a publisher's timestamps on the ring's time, which goes on evenly whatever they do: one that jumps, since the
// encoder started anew or its clock was set, is taken to follow its predecessor as its arrival does. Pure.
#pragma once

#include "common/base/time.h"

#include <cstdint>
#include <optional>

namespace sluice::rtmp {

class Timeline {
public:
  // Steps beyond these, apart from the time that has passed, are jumps. Audio and video may be as far apart as that.
  static constexpr int64_t kMaxBackMs = 5'000, kMaxAheadMs = 10'000;

  // `start`: what the first timestamp becomes.
  explicit Timeline(Nanoseconds start) : start_(start) {}

  Nanoseconds ring_time(int64_t timestamp_ms, Nanoseconds arrival);
  uint64_t jumps() const { return jumps_; }

private:
  Nanoseconds start_;
  std::optional<int64_t> offset_ms_; // ring time, from the start, less timestamp
  int64_t latest_ms_ = 0;            // timestamp, of the latest message
  Nanoseconds latest_arrival_ = 0;
  uint64_t jumps_ = 0;
};

} // namespace sluice::rtmp
