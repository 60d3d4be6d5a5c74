// When what was pulled is to go out: as fast as it plays, however fast it came. What comes too late moves all that
// follows; what a live stream lies behind its end more than it is to is made up for by playing a little faster. Pure.
#pragma once

#include "common/base/time.h"

#include <optional>

namespace sluice::hls {

class Pacer {
public:
  static constexpr Nanoseconds kTolerance = 50 * kMillisecond; // of lateness, which a busy machine may cause
  // Of 1: how much faster it plays to make up for what it is behind.
  static constexpr int kFasterBy = 20;

  bool started() const { return anchor_.has_value(); }
  // `media`: on the output's time line.
  void start(Nanoseconds media, Nanoseconds now) { anchor_ = Anchor{media, now}; }

  Nanoseconds due(Nanoseconds media) const {
    Nanoseconds distance = media - anchor_->media;
    return anchor_->at + (fast_ ? distance - distance / kFasterBy : distance);
  }
  // It goes out now.
  void on_sent(Nanoseconds media, Nanoseconds now) {
    if (now - due(media) > kTolerance) anchor_ = Anchor{media, now};
  }
  // `ahead`: how much there is to be played just before more is there; `hold_back`: as much as that may be.
  void on_ahead(Nanoseconds ahead, Nanoseconds hold_back, Nanoseconds now) {
    bool fast = fast_ ? ahead > hold_back : ahead > hold_back + hold_back / 4;
    if (fast == fast_ || !anchor_) return;
    Nanoseconds passed = now - anchor_->at;
    anchor_ = Anchor{anchor_->media + (fast_ ? passed + passed / (kFasterBy - 1) : passed), now};
    fast_ = fast;
  }
  bool fast() const { return fast_; }

private:
  struct Anchor {
    Nanoseconds media = 0, at = 0; // the one goes out at the other
  };

  std::optional<Anchor> anchor_;
  bool fast_ = false;
};

} // namespace sluice::hls
