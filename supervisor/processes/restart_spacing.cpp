#include "supervisor/processes/restart_spacing.h"

#include <algorithm>
#include <utility>

namespace sluice::processes {

Nanoseconds RestartSpacing::on_death(bool served) {
  if (served) {
    next_ = kFirst;
    return 0;
  }
  return std::exchange(next_, std::min(2 * next_, kLongest));
}

} // namespace sluice::processes
