// The samples of a movie fragment (ISO/IEC 14496-12 section 8.8): where they are, and when. Pure.
#pragma once

#include "common/base/result.h"
#include "workers/hls/demux/mp4_movie.h"

#include <optional>
#include <vector>

namespace sluice::hls {

constexpr size_t kMaxSamples = 65'536; // of a fragment

struct MovieSample {
  size_t track = 0;        // of the movie's
  uint32_t entry = 0;      // of the track's, from 0
  uint64_t offset = 0;     // in the file
  uint32_t size = 0;       // bytes
  int64_t decode_time = 0; // in the track's timescale
  int32_t composition_offset = 0;
  uint32_t flags = 0;

  bool is_sync() const { return (flags & 0x0001'0000) == 0; }
  // It says that no other sample is needed to decode it.
  bool is_independent() const { return is_sync() && (flags >> 24 & 3) == 2; }
};

// Where the tracks' next samples are expected, by the movie's tracks; of a track without samples so far empty.
using DecodeTimes = std::vector<std::optional<int64_t>>;

// From the body of a moof box that begins at `offset` of its file; moves `times` on. Samples of tracks that are not in
// the movie, or whose entry is not carried, are left out. Errors: malformed, more than kMaxSamples, times or places
// that make no sense.
Result<std::vector<MovieSample>> parse_fragment(Bytes moof, uint64_t offset, const std::vector<MovieTrack> &tracks,
                                                DecodeTimes &times);

} // namespace sluice::hls
