// Puts the times of a source's containers on one time line for the output, which begins at 0 and never jumps back: at a
// discontinuity, or where times jump without one being told, it goes on where the tracks before it ended. Renditions
// that meet the same discontinuity stay together. Pure.
#pragma once

#include "common/base/time.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::hls {

class OutputTimeline {
public:
  // Steps beyond these, from one unit of a track to the next, are jumps.
  static constexpr Nanoseconds kMaxBack = 2 * kSecond, kMaxAhead = 10 * kSecond;

  explicit OutputTimeline(size_t renditions) : renditions_(renditions) {}

  // What is to be added to the times of a track's next unit, which has this DTS. `track`: from add_track().
  Nanoseconds shift(size_t rendition, size_t track, uint64_t discontinuity, Nanoseconds dts);
  size_t add_track();
  uint64_t jumps() const { return jumps_; } // that were not told

private:
  static constexpr size_t kKept = 8; // discontinuities that one rendition may be behind another

  struct Rendition {
    std::optional<uint64_t> discontinuity;
    Nanoseconds offset = 0; // output less container
  };
  struct Track {
    std::optional<Nanoseconds> output; // of the last unit
    Nanoseconds step = 0;              // between the last two
  };

  Nanoseconds end() const;

  std::vector<Rendition> renditions_;
  std::vector<Track> tracks_;
  std::deque<std::pair<uint64_t, Nanoseconds>> offsets_; // of the last discontinuities
  uint64_t jumps_ = 0;
};

} // namespace sluice::hls
