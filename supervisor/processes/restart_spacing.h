// When the successor of a dead worker starts: at once, unless the dead one never served.
#pragma once

#include "common/base/time.h"

namespace sluice::processes {

class RestartSpacing {
public:
  static constexpr Nanoseconds kFirst = 10 * kMillisecond;
  static constexpr Nanoseconds kLongest = 5 * kSecond;

  // The delay before the next start.
  Nanoseconds on_death(bool served);

private:
  Nanoseconds next_ = kFirst;
};

} // namespace sluice::processes
