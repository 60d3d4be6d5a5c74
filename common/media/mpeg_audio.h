// MPEG-1, -2 and -2.5 audio frames, layers I to III (ISO/IEC 11172-3 section 2.4.1.3).
#pragma once

#include "common/base/bytes.h"

#include <optional>

namespace sluice::media {

struct MpegAudioFrame {
  uint8_t layer = 3; // 1..3
  uint32_t sample_rate = 0;
  uint32_t bit_rate = 0; // bits per second
  uint16_t size = 0;     // with header, bytes
  uint16_t samples = 0;
  uint8_t channels = 2;
};

// From the 4 bytes of a frame's header. Empty when it is none, or has a free-format bit rate.
std::optional<MpegAudioFrame> parse_mpeg_audio_header(Bytes bytes);

} // namespace sluice::media
