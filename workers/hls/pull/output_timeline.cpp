#include "workers/hls/pull/output_timeline.h"

#include <algorithm>

namespace sluice::hls {

size_t OutputTimeline::add_track() {
  tracks_.emplace_back();
  return tracks_.size() - 1;
}

// Where the next unit of the track that is the furthest would be.
Nanoseconds OutputTimeline::end() const {
  Nanoseconds end = 0;
  for (const Track &track : tracks_)
    if (track.output) end = std::max(end, *track.output + track.step);
  return end;
}

Nanoseconds OutputTimeline::shift(size_t rendition_index, size_t track_index, uint64_t discontinuity, Nanoseconds dts) {
  Rendition &rendition = renditions_[rendition_index];
  Track &track = tracks_[track_index];
  if (rendition.discontinuity != discontinuity) {
    rendition.discontinuity = discontinuity;
    auto known =
        std::find_if(offsets_.begin(), offsets_.end(), [&](const auto &entry) { return entry.first == discontinuity; });
    if (known == offsets_.end()) {
      if (offsets_.size() == kKept) offsets_.pop_front();
      known = offsets_.insert(offsets_.end(), {discontinuity, end() - dts});
    }
    rendition.offset = known->second;
  } else if (track.output) {
    Nanoseconds step = dts + rendition.offset - *track.output;
    if (step < -kMaxBack || step > kMaxAhead) {
      rendition.offset = end() - dts;
      jumps_++;
    }
  }
  Nanoseconds output = dts + rendition.offset;
  if (track.output && output <= *track.output) output = *track.output + kMicrosecond;
  // A pause is no step.
  if (track.output && output - *track.output < kSecond) track.step = output - *track.output;
  track.output = output;
  return output - dts;
}

} // namespace sluice::hls
