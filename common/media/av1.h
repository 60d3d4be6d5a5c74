// AV1: open bitstream units (AV1 Bitstream specification section 5.3), the sequence header (5.5) and the
// AV1CodecConfigurationRecord (AV1 Codec ISO Media File Format Binding section 2.3). Pure.
//
//   OBU: 0 (1) type (4) extension (1) has_size (1) 0 (1) | extension (8) | size, leb128 | payload
//   record: 0x81 | profile (3) level (5) | tier, high depth, 12 bits, monochrome, subsampling x, y (6) position (2)
//   | 0 (3) initial delay (5) | OBUs
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace sluice::media {

enum class ObuType : uint8_t {
  SequenceHeader = 1,
  TemporalDelimiter = 2,
  FrameHeader = 3,
  TileGroup = 4,
  Metadata = 5,
  Frame = 6,
  RedundantFrameHeader = 7,
  TileList = 8,
  Padding = 15,
};

struct Obu {
  ObuType type = ObuType::Padding;
  uint8_t header = 0; // the first byte, without has_size
  bool has_extension = false;
  uint8_t extension = 0;
  Bytes payload;
  size_t size = 0; // all bytes of it, with the size field if there is one

  size_t header_size() const { return has_extension ? 2 : 1; }
};

// The first of the OBUs; one without a size field extends to the end. Errors: too short, forbidden bit.
Result<Obu> parse_obu(Bytes bytes);
// With a size field, as in files; or without, as in RTP.
void append_obu(ByteVector &out, const Obu &obu, bool with_size);

// A number of at most 32 bits in groups of 7, the least significant first (section 4.10.5). Errors: cut off, too large.
Result<uint32_t> read_leb128(ByteReader &reader);
constexpr size_t kMaxLeb128 = 5;
// Returns how many bytes of `out` (at least kMaxLeb128) it took.
size_t write_leb128(uint32_t value, uint8_t *out);

struct Av1Sequence {
  uint8_t profile = 0; // 0..2
  uint8_t level = 0;   // seq_level_idx of the first operating point
  uint8_t tier = 0;
  uint8_t bit_depth = 8;
  bool monochrome = false;
  bool subsampling_x = true;
  bool subsampling_y = true;
  uint8_t chroma_sample_position = 0;
  uint32_t width = 0; // the largest
  uint32_t height = 0;
};

// From an OBU of that type.
Result<Av1Sequence> parse_av1_sequence_header(Bytes obu);

// The sequence header of a record, without size field; empty when it has none. Errors: another version, a malformed
// OBU.
Result<ByteVector> parse_av1_configuration(Bytes bytes);
Result<ByteVector> write_av1_configuration(Bytes sequence_header);

} // namespace sluice::media
