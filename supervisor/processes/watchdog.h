// Tells a worker that hangs from one that could not be watched: counts only time during which its watcher ran.
#pragma once

#include "common/base/time.h"

namespace sluice::processes {

class Watchdog {
public:
  static constexpr Nanoseconds kInterval = 250 * kMillisecond; // how often look() is called
  static constexpr Nanoseconds kStarting = 5 * kSecond;        // until the first tick
  static constexpr Nanoseconds kSilence = 2 * kSecond;         // between two ticks

  void reset(Nanoseconds now);
  // True: the worker hangs. `tick` is any number that changes while the worker lives; 0 before its first.
  bool look(int64_t tick, Nanoseconds now);

private:
  int64_t tick_ = 0;
  Nanoseconds looked_ = 0;
  Nanoseconds silent_ = 0;
};

} // namespace sluice::processes
