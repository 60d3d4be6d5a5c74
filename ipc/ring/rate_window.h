// How many bytes and entries came within the last second, known to an eighth of a second. Fixed size.
#pragma once

#include "common/base/time.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace sluice::ring {

class RateWindow {
public:
  struct Amount {
    uint64_t bytes = 0, entries = 0;
  };

  // An entry at `position` with `sequence` came at `arrival`.
  void note(Nanoseconds arrival, uint64_t sequence, uint64_t position);
  // From the first entry of the last second, or up to an eighth earlier, to the end given.
  Amount last_second(Nanoseconds now, uint64_t end_sequence, uint64_t end_position) const;

private:
  static constexpr size_t kMarks = 10;
  struct Mark {
    Nanoseconds arrival = 0;
    uint64_t sequence = 0, position = 0;
  };

  std::array<Mark, kMarks> marks_{}; // an eighth of a second apart at least
  size_t count_ = 0;                 // ever noted; the newest is at (count_ - 1) % kMarks
};

} // namespace sluice::ring
