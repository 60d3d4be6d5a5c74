// One access unit's place in a part.
#pragma once

#include <cstdint>

namespace sluice::hls {

struct Sample {
  int64_t dts = 0;         // of its track's timescale
  int32_t composition = 0; // PTS - DTS
  uint32_t duration = 0;
  uint32_t size = 0; // bytes
  bool random_access = false;
};

} // namespace sluice::hls
