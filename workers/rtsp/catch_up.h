// How fast a reader over UDP gets what the stream holds already when it begins at a key frame: twice as fast as it came
// in, until the reader has caught up. Whatever came in at once leaves at once, so a burst is no larger than the
// publisher's own, or what a live reader gets in a round, and half a round's on top. Twice: whoever may read the stream
// at all has to have some room beside it; it takes as long to catch up as the key frame is old, and the client, who
// plays at the single speed, has that much in its buffer by then. A faster start would be a longer burst at a link that
// is perhaps not made for it, and UDP has nothing to say so; over TCP congestion control does, so nothing is held back
// there. Pure; owned by the Reader, whose worker asks about every kCatchUpInterval as long as something is held back.
#pragma once

#include "common/base/time.h"

#include <algorithm>

namespace sluice::rtsp {

constexpr Nanoseconds kCatchUpInterval = 10 * kMillisecond;

class CatchUp {
public:
  // The first entry arrived at `first`.
  CatchUp(Nanoseconds first, Nanoseconds now) : released_(std::min(first, now)), asked_(now) {}

  // What arrived until then may be sent. Where the worker was busy for long, live readers get what they missed at
  // once; this one gets only kMostExtra more.
  Nanoseconds release(Nanoseconds now) {
    Nanoseconds passed = std::max<Nanoseconds>(now - asked_, 0);
    asked_ = std::max(asked_, now);
    released_ = std::min(released_ + passed + std::min(passed, kMostExtra), asked_);
    return released_;
  }
  // What arrives may be sent at once.
  bool done() const { return released_ == asked_; }

private:
  static constexpr Nanoseconds kMostExtra = 5 * kCatchUpInterval;

  Nanoseconds released_, asked_;
};

} // namespace sluice::rtsp
