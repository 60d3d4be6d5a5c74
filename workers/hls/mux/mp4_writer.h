// Fragmented MP4 (ISO/IEC 14496-12; CMAF, ISO/IEC 23000-19, but with all tracks in one file): initialisation sections
// and the heads of parts, whose media data follow as they are. Pure functions that append to a vector.
//
//   section: ftyp, moov { mvhd, trak { tkhd, mdia { mdhd, hdlr, minf { vmhd or smhd, dinf, stbl { stsd, empty tables }
//            } } }…, mvex { trex… } }
//   part:    moof { mfhd, traf { tfhd, tfdt, trun }… }, mdat { the data of the first track, of the second, … }
#pragma once

#include "workers/hls/mux/sample.h"
#include "workers/hls/mux/track_format.h"

#include <span>

namespace sluice::hls {

// Tracks are numbered from 1 in the order in which they stand.
void append_initialisation(std::span<const TrackFormat *const> formats, ByteVector &out);

// What a part has of a track.
struct TrackRun {
  uint32_t track_id = 0;
  bool video = false;
  std::span<const Sample> samples; // not empty; DTS never negative
  uint64_t bytes = 0;              // of all of them
};

// Up to and including the header of mdat.
void append_part_head(uint32_t sequence, std::span<const TrackRun> runs, ByteVector &out);

} // namespace sluice::hls
