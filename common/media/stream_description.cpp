#include "common/media/stream_description.h"

#include <algorithm>

namespace sluice::media {

bool is_valid(const StreamDescription &description) {
  if (description.tracks.empty() || description.tracks.size() > kMaxTracks) return false;
  return std::all_of(description.tracks.begin(), description.tracks.end(),
                     [](const Track &track) { return track.payload_type < 128 && track.clock_rate > 0; });
}

} // namespace sluice::media
