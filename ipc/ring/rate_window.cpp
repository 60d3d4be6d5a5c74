#include "ipc/ring/rate_window.h"

#include <algorithm>

namespace sluice::ring {

void RateWindow::note(Nanoseconds arrival, uint64_t sequence, uint64_t position) {
  if (count_ > 0 && arrival - marks_[(count_ - 1) % kMarks].arrival < kSecond / 8) return;
  marks_[count_ % kMarks] = {arrival, sequence, position};
  count_++;
}

// An entry of the last second belongs to a mark less than an eighth before it.
RateWindow::Amount RateWindow::last_second(Nanoseconds now, uint64_t end_sequence, uint64_t end_position) const {
  Amount amount;
  for (size_t back = 1; back <= std::min(count_, kMarks); back++) {
    const Mark &mark = marks_[(count_ - back) % kMarks];
    if (mark.arrival <= now - kSecond - kSecond / 8) break;
    amount = {end_position - mark.position, end_sequence - mark.sequence};
  }
  return amount;
}

} // namespace sluice::ring
