// Presentations for the tests of playlists.
#pragma once

#include "workers/hls/presentation.h"

namespace sluice::hls {

constexpr Nanoseconds kStartWall = 1'709'209'799'250 * kMillisecond; // 2024-02-29T12:29:59.250Z

inline Segment segment(uint64_t number, Nanoseconds duration, uint64_t bytes = 1000) {
  Segment made;
  made.number = number;
  made.duration = duration;
  made.start_wall = kStartWall + static_cast<Nanoseconds>(number) * duration;
  made.bytes = bytes;
  made.finished = true;
  return made;
}

inline Presentation presentation(Variant variant, uint64_t first, uint64_t count, Nanoseconds duration = 2 * kSecond) {
  Presentation made;
  made.id = "0123456789ab";
  made.variant = variant;
  made.has_video = true;
  made.target_duration = 2 * kSecond;
  if (variant == Variant::LowLatency) made.part_target = 500 * kMillisecond;
  for (uint64_t i = 0; i < count; i++) {
    made.segments.push_back(segment(first + i, duration));
    if (variant != Variant::LowLatency) continue;
    made.segments.back().first_part = (first + i) * 4;
    for (int part = 0; part < 4; part++) made.segments.back().parts.push_back({duration / 4, 250, part == 0});
  }
  return made;
}

// Begins another segment with so many parts.
inline void add_unfinished(Presentation &made, size_t parts) {
  const Segment &last = made.segments.back();
  Segment next;
  next.number = last.number + 1;
  next.first_part = last.first_part + last.parts.size();
  next.start_wall = last.start_wall + last.duration;
  next.initialisation = last.initialisation;
  for (size_t i = 0; i < parts; i++) {
    next.parts.push_back({500 * kMillisecond, 250, i == 0});
    next.duration += 500 * kMillisecond;
  }
  made.segments.push_back(next);
}

} // namespace sluice::hls
