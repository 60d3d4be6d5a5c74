// Arithmetic on sequence numbers and timestamps that wrap.
#pragma once

#include "common/base/time.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace sluice::rtp {

// How far b is ahead of a: -32768..32767.
constexpr int16_t sequence_distance(uint16_t a, uint16_t b) {
  return static_cast<int16_t>(static_cast<uint16_t>(b - a));
}

// Ticks of a clock as nanoseconds and back, without overflow for any 64-bit instant that is in range.
constexpr Nanoseconds ticks_to_ns(int64_t ticks, uint32_t clock_rate) {
  int64_t rate = clock_rate;
  return ticks / rate * kSecond + ticks % rate * kSecond / rate;
}
constexpr int64_t ns_to_ticks(Nanoseconds ns, uint32_t clock_rate) {
  int64_t rate = clock_rate;
  return ns / kSecond * rate + ns % kSecond * rate / kSecond;
}

// 16-bit sequence numbers as 64-bit ones that never wrap: each is taken as the one nearest to the last.
// The first is itself plus 65536, so that reordering around it stays positive.
class SequenceExtender {
public:
  uint64_t extend(uint16_t sequence) {
    if (!last_) {
      last_ = 65536u + sequence;
    } else {
      int64_t next = static_cast<int64_t>(*last_) + sequence_distance(static_cast<uint16_t>(*last_), sequence);
      last_ = next < 0 ? sequence : static_cast<uint64_t>(next);
    }
    return *last_;
  }

private:
  std::optional<uint64_t> last_;
};

// RTP timestamps as nanoseconds relative to the first one. Jumps of up to half the range either way are followed, until
// they are 36 years off: with a clock rate of 1 that is one jump.
class TimestampUnwrapper {
public:
  explicit TimestampUnwrapper(uint32_t clock_rate, Nanoseconds start = 0) : clock_rate_(clock_rate), start_(start) {}

  Nanoseconds unwrap(uint32_t timestamp) {
    if (!last_) last_ = timestamp;
    ticks_ += static_cast<int32_t>(timestamp - *last_);
    last_ = timestamp;
    int64_t limit = kLimit / kSecond * clock_rate_;
    ticks_ = std::clamp(ticks_, -limit, limit);
    return std::clamp(start_ + ticks_to_ns(ticks_, clock_rate_), -kLimit, kLimit);
  }

private:
  static constexpr Nanoseconds kLimit = Nanoseconds{1} << 60; // times any clock rate, in seconds, it does not overflow

  uint32_t clock_rate_;
  Nanoseconds start_;
  std::optional<uint32_t> last_;
  int64_t ticks_ = 0;
};

} // namespace sluice::rtp
