// What the initialisation section of a fragmented MP4 file says: its tracks and the defaults of their samples (ISO/IEC
// 14496-12 section 8, ISO/IEC 14496-15 for avcC and hvcC, 14496-1 for esds). Pure.
#pragma once

#include "common/base/result.h"
#include "common/media/parameters.h"
#include "workers/hls/demux/sink.h"

#include <vector>

namespace sluice::hls {

constexpr size_t kMaxSampleEntries = 8; // of a track; further ones are not supported

struct SampleDefaults {
  uint32_t entry = 1; // sample_description_index, from 1
  uint32_t duration = 0;
  uint32_t size = 0;
  uint32_t flags = 0;
};

struct SampleEntry {
  media::Codec codec = media::Codec::Other; // Other: not carried
  uint8_t length_size = 4;                  // H264, H265: of the field before each NAL unit
  media::ParameterSets sets;                // as common/media/parameters.h has them
  FoundTrack track;                         // without a configuration, of H264 and H265: it comes with the samples
};

struct MovieTrack {
  uint32_t id = 0;
  uint32_t timescale = 0; // never 0
  int64_t shift = 0;      // of presentation against media, in the track's timescale: what the edit list says
  std::vector<SampleEntry> entries;
  SampleDefaults defaults;
};

// From the body of a moov box: the tracks with an entry that we carry, at most kMaxTracks. Errors: malformed, no such
// track.
Result<std::vector<MovieTrack>> parse_movie(Bytes moov);

// From a sample entry as stsd holds it. Error: malformed. One of another codec, or encrypted, is no error.
Result<SampleEntry> parse_sample_entry(uint32_t type, Bytes body);

} // namespace sluice::hls
