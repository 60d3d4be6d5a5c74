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

  // As the header has them, section 5.4.
  uint8_t rate_code = 0;     // fscod
  uint8_t bit_rate_code = 0; // frmsizecod / 2
  uint8_t bsid = 0, bsmod = 0, acmod = 0;
  bool low_frequencies = false; // lfeon
};

// From at least the first 7 bytes of a frame. Empty when it is none, or one of E-AC-3.
std::optional<Ac3Frame> parse_ac3_header(Bytes bytes);

} // namespace sluice::media
