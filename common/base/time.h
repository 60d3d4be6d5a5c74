// Time is an argument, never asked for inside logic. Two clocks: monotonic for deadlines and arrival
// times (the same in every process of the machine), wall clock for NTP and logs.
#pragma once

#include <cstdint>

namespace sluice {

using Nanoseconds = int64_t; // durations, and instants of CLOCK_MONOTONIC

constexpr Nanoseconds kMicrosecond = 1'000;
constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr Nanoseconds kSecond = 1'000'000'000;

Nanoseconds monotonic_now();
Nanoseconds wall_now(); // since 1970

} // namespace sluice
