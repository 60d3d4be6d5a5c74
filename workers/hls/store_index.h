// What the index of a segment store holds for HLS: what playlists say, where each file lies in the store's data, and
// where a successor of the muxer goes on. Written by the muxer, read by every worker that serves the stream, which
// treats it as a stranger's. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "workers/hls/presentation.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

struct Place {
  uint64_t position = 0, bytes = 0; // in the store's data
};

struct StoredPart {
  uint64_t number = 0;
  Part part;
  uint64_t position = 0;
};
struct StoredSegment {
  Segment segment; // its `parts` stand in StoreIndex::parts
  uint64_t position = 0;
};
struct StoredSection {
  uint64_t number = 0;
  Place place;
};

struct StoreIndex {
  Variant variant = Variant::MpegTs;
  std::string codecs;
  bool has_video = false;
  uint32_t width = 0, height = 0;
  uint64_t frame_rate_millihertz = 0;
  Nanoseconds part_target = 0, target_duration = 0;
  uint64_t discontinuity_sequence = 0;
  uint64_t first_listed = 0; // segments before it are only for those who are late
  bool ended = false;

  // The oldest first, by number without gaps: all that the store still has.
  std::vector<StoredSegment> segments;
  std::vector<StoredPart> parts;
  std::vector<StoredSection> sections;

  // The wall clock minus the stream's time, so that a successor dates segments alike; 0: nothing was dated yet.
  Nanoseconds wall_offset = 0;
  ByteVector resume; // of the muxer, in a form of its own; empty: nothing was finished yet

  const StoredSegment *find_segment(uint64_t number) const;
  const StoredPart *find_part(uint64_t number) const;
  const StoredSection *find_section(uint64_t number) const;
  // What playlists say. `id`: the store's.
  Presentation presentation(uint64_t id) const;
};

ByteVector encode(const StoreIndex &index);
// Error: damaged.
Result<StoreIndex> decode_index(Bytes bytes);

std::string id_text(uint64_t id); // 12 hexadecimal digits

} // namespace sluice::hls
