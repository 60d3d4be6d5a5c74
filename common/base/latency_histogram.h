// How long something took, each time, in ranges that grow by 2.5 or 2 from 100 us to 10 s. Never shrinks.
#pragma once

#include "common/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice {

struct LatencyHistogram {
  static constexpr std::array<Nanoseconds, 16> kBounds{
      100 * kMicrosecond,
      250 * kMicrosecond,
      500 * kMicrosecond,
      kMillisecond,
      5 * kMillisecond / 2,
      5 * kMillisecond,
      10 * kMillisecond,
      25 * kMillisecond,
      50 * kMillisecond,
      100 * kMillisecond,
      250 * kMillisecond,
      500 * kMillisecond,
      kSecond,
      5 * kSecond / 2,
      5 * kSecond,
      10 * kSecond,
  };
  std::array<uint64_t, kBounds.size() + 1>
      counts{}; // of those up to each bound and above the one before; the last: of longer ones
  Nanoseconds sum = 0;

  void observe(Nanoseconds duration) {
    size_t i = 0;
    while (i < kBounds.size() && duration > kBounds[i]) i++;
    counts[i]++;
    sum += duration;
  }
};

} // namespace sluice
