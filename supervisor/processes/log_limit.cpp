#include "supervisor/processes/log_limit.h"

#include <utility>

namespace sluice::processes {

LogLimit::Verdict LogLimit::on_line(Nanoseconds now) {
  if (now - second_ >= kSecond) {
    second_ = now;
    lines_ = 0;
  }
  if (lines_ >= kLinesPerSecond) {
    omitted_++;
    return {};
  }
  lines_++;
  return {true, std::exchange(omitted_, 0)};
}

} // namespace sluice::processes
