// Opus: how long a packet lasts (RFC 6716 section 3.1), and the identification header (RFC 7845 section 5.1). Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

#include <optional>

namespace sluice::media {

// Empty when the packet is malformed (no data, no frame, more than 120 ms).
std::optional<Nanoseconds> opus_packet_duration(Bytes packet);

struct OpusHeader {
  uint8_t channels = 2;       // 1..8
  uint16_t pre_skip = 0;      // samples at 48 kHz
  uint32_t input_rate = 0;    // Hz; 0 = not stated
  int16_t output_gain = 0;    // dB, with 8 bits after the point
  uint8_t mapping_family = 0; // 0: mono or stereo in one stream

  bool operator==(const OpusHeader &) const = default;
};

// With "OpusHead" in front; a mapping table is ignored. Errors: too short, another header, no channels.
Result<OpusHeader> parse_opus_header(Bytes bytes);
// Of mapping family 0.
ByteVector write_opus_header(const OpusHeader &header);

} // namespace sluice::media
