#include "supervisor/processes/watchdog.h"

#include <algorithm>

namespace sluice::processes {

void Watchdog::reset(Nanoseconds now) {
  tick_ = 0;
  looked_ = now;
  silent_ = 0;
}

bool Watchdog::look(int64_t tick, Nanoseconds now) {
  Nanoseconds passed = std::clamp<Nanoseconds>(now - looked_, 0, 2 * kInterval); // more: we did not run either
  looked_ = now;
  if (tick != tick_) {
    tick_ = tick;
    silent_ = 0;
    return false;
  }
  silent_ += passed;
  return silent_ >= (tick == 0 ? kStarting : kSilence);
}

} // namespace sluice::processes
