// Bounds the log lines of one worker: a burst, then so many a second. What is left out is counted.
#pragma once

#include "common/base/time.h"

#include <cstdint>

namespace sluice::processes {

class LogLimit {
public:
  static constexpr uint32_t kLinesPerSecond = 2000; // a thousand clients that come at once are worth reading about

  struct Verdict {
    bool print = false;
    uint64_t omitted = 0; // lines left out until now; to be told before this one
  };
  Verdict on_line(Nanoseconds now);

private:
  Nanoseconds second_ = 0; // when the current second began
  uint32_t lines_ = 0;     // printed since
  uint64_t omitted_ = 0;
};

} // namespace sluice::processes
