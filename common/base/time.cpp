#include "common/base/time.h"

#include <time.h>

namespace sluice {
namespace {

Nanoseconds read_clock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

} // namespace

Nanoseconds monotonic_now() {
  return read_clock(CLOCK_MONOTONIC);
}
Nanoseconds wall_now() {
  return read_clock(CLOCK_REALTIME);
}

} // namespace sluice
