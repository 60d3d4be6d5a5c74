// Times of a stream in the ticks of a track. A stream's time may begin a little before 0 (decoding times of its first
// pictures), containers can't: kOrigin is added to all of them.
#pragma once

#include "common/base/time.h"

#include <cstdint>
#include <optional>

namespace sluice::hls {

constexpr Nanoseconds kOrigin = 10 * kSecond;

// To the nearest tick; `value` of a timescale `from`, the result of `to`, each below 2^32. |value / from| is below 2^34
// seconds.
constexpr int64_t rescale(int64_t value, int64_t from, int64_t to) {
  int64_t whole = value / from;
  int64_t rest = value % from;
  if (rest < 0) {
    whole--;
    rest += from;
  }
  return whole * to + (rest * to + from / 2) / from;
}

// Of a duration.
constexpr int64_t to_ticks(Nanoseconds time, uint32_t timescale) {
  return rescale(time, kSecond, timescale);
}
constexpr Nanoseconds to_nanoseconds(int64_t ticks, uint32_t timescale) {
  return rescale(ticks, timescale, kSecond);
}

// Of a stream's time; empty when it is before what can be told, or absurd.
constexpr std::optional<int64_t> stream_ticks(Nanoseconds time, uint32_t timescale) {
  constexpr Nanoseconds kLatest = INT64_MAX / 4;
  if (time < -kOrigin || time > kLatest) return std::nullopt;
  return to_ticks(time + kOrigin, timescale);
}

// Times of a stream may be anything.
constexpr bool is_near(Nanoseconds a, Nanoseconds b, Nanoseconds distance) {
  return a < b ? a >= b - distance : a - distance <= b;
}

} // namespace sluice::hls
