// What a muxer made of a stream so far: its newest segments and parts, as a playlist tells them (RFC 8216 and
// draft-pantos-hls-rfc8216bis). Plain data. Playlists are a pure function of it, so that every worker that sees it
// writes the same ones.
//
// Segments are numbered as their media sequence numbers, parts over all segments. Names of files carry `id`, which no
// two muxers share, so that a cache may keep them for ever:
//
//   index.m3u8, stream.m3u8, <id>_init<N>.mp4, <id>_seg<N>.ts or .mp4, <id>_part<N>.mp4
#pragma once

#include "common/base/time.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::hls {

enum class Variant : uint8_t { MpegTs, Fmp4, LowLatency };

// The media sequence number that a stream begins with. Of a segment 0, hls.js (1.7) loads the parts again and again.
constexpr uint64_t first_segment(Variant variant) {
  return variant == Variant::LowLatency ? 1 : 0;
}

struct Part {
  Nanoseconds duration = 0;
  uint64_t bytes = 0;
  bool independent = false; // begins with a random access unit, or there is no video
};

struct Segment {
  uint64_t number = 0;        // its media sequence number
  uint64_t first_part = 0;    // the number of parts[0]
  std::vector<Part> parts;    // in order; none where the variant has none, or they are no longer told
  Nanoseconds duration = 0;   // of what is there so far
  Nanoseconds start_wall = 0; // of its first access unit, since 1970
  uint64_t bytes = 0;
  uint64_t initialisation = 0; // the number of its initialisation section; MPEG-TS has none
  bool discontinuity = false;  // before it: timestamps, tracks or their parameters changed
  bool finished = false;       // only the last one is not
};

struct Presentation {
  std::string id; // 12 lower-case hexadecimal digits
  Variant variant = Variant::MpegTs;
  std::string codecs; // "avc1.64001f,mp4a.40.2"; empty: not known
  bool has_video = false;
  uint32_t width = 0, height = 0; // pixels, 0: not known
  double frame_rate = 0;          // Hz, 0: not known
  Nanoseconds part_target = 0;    // no part is longer; LowLatency only

  // The playlist's: the oldest first, at most one that is not finished, at the end.
  std::vector<Segment> segments;
  uint64_t discontinuity_sequence = 0; // discontinuities before segments[0] that the playlist no longer has
  Nanoseconds target_duration = 0;     // whole seconds; never smaller than before
  bool ended = false;                  // nothing follows
};

} // namespace sluice::hls
