// FLAC (RFC 9639): the STREAMINFO block that precedes a stream's frames. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"

#include <array>

namespace sluice::media {

constexpr size_t kFlacStreamInfoSize = 34; // section 8.2

struct FlacStreamInfo {
  uint16_t min_block_samples = 0; // the same as max_block_samples when all frames but the last have as many
  uint16_t max_block_samples = 0;
  uint32_t sample_rate = 0; // Hz, never 0
  uint8_t channels = 0;     // 1..8
  uint8_t bits_per_sample = 0;
  std::array<uint8_t, kFlacStreamInfoSize> bytes{}; // as it was given

  bool operator==(const FlacStreamInfo &) const = default;
};

// The block's data, or "fLaC" and the block with its header, as FLV carries it. Errors: too short, another block, a
// value out of its range.
Result<FlacStreamInfo> parse_flac_stream_info(Bytes bytes);
// From a track's fmtp: "streaminfo=" and 68 hexadecimal digits.
Result<FlacStreamInfo> parse_flac_format(const Track &track);
// "fLaC", then the block with its header, marked as the last one.
ByteVector write_flac_header(const FlacStreamInfo &info);

} // namespace sluice::media
