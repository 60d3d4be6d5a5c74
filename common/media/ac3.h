// AC-3 syncframes (ATSC A/52 section 5.3). Pure.
#pragma once

#include "common/base/bytes.h"

#include <optional>

namespace sluice::media {

constexpr uint32_t kAc3FrameSamples = 1536;

struct Ac3Frame {
  uint32_t sample_rate = 0;
  uint8_t channels = 0; // with the one for low frequencies; 1..6
  uint16_t size = 0;    // with header, bytes
};

// From at least the first 7 bytes of a frame. Empty when it is none, or one of E-AC-3.
std::optional<Ac3Frame> parse_ac3_header(Bytes bytes);

} // namespace sluice::media
