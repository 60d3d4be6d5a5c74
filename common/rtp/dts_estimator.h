// Decoding times for pictures that arrive in decoding order with their presentation times.
//
// With a reordering depth of n, the DTS of a picture is the n + 1st largest PTS until then, which is the PTS n
// places before it in presentation order. So DTS never decreases, and never exceeds PTS as long as n is right. The
// first picture is taken as the first in presentation too; before it, others one frame duration apart are assumed.
// n is stated (by the SPS) or starts too small: then it grows with the first picture that more than n with larger
// PTS preceded; until the others have caught up, DTS stands still, which may be after PTS unless picture order counts
// announced it (with_depth()).
#pragma once

#include "common/base/time.h"

#include <array>
#include <cstddef>

namespace sluice::rtp {

class DtsEstimator {
public:
  static constexpr size_t kMaxDepth = 16;
  static constexpr Nanoseconds kJump = 10 * kSecond; // a larger step back of PTS starts anew

  // From the next picture on. Depths above kMaxDepth count as that.
  void set_depth(size_t depth);
  void set_frame_duration(Nanoseconds duration);
  // Once per picture.
  Nanoseconds next(Nanoseconds pts);
  // Of the same picture, when more is known about it: as many precede one that is to come and that they follow.
  Nanoseconds with_depth(size_t depth);

private:
  void restart(Nanoseconds pts);
  size_t insert(Nanoseconds pts);

  std::array<Nanoseconds, kMaxDepth + 1> largest_{}; // descending
  size_t depth_ = 0;
  bool started_ = false;
  Nanoseconds frame_duration_ = kSecond / 30;
  Nanoseconds former_dts_ = 0; // of the picture before
  Nanoseconds last_dts_ = 0;
};

} // namespace sluice::rtp
