// VP9: what its decoder configuration says (VP Codec ISO Media File Format Binding, section "VP Codec Configuration
// Box"). Pure.
//
//   version = 1 (8), flags (24) | profile (8) | level (8) | bitDepth (4), chromaSubsampling (3), full range (1)
//   | colourPrimaries (8) | transferCharacteristics (8) | matrixCoefficients (8) | initialisation data, size (16) = 0
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <optional>

namespace sluice::media {

struct Vp9Configuration {
  uint8_t profile = 0; // 0..3
  uint8_t level = 0;   // 0 = not known
  uint8_t bit_depth = 8;
  uint8_t chroma_subsampling = 1; // 1 = 4:2:0, colocated with luma
  bool full_range = false;

  bool operator==(const Vp9Configuration &) const = default;
};

// With version and flags or without; both are in use in FLV. Errors: too short, a value out of its range.
Result<Vp9Configuration> parse_vp9_configuration(Bytes bytes);
// With version and flags; colours are not stated.
ByteVector write_vp9_configuration(const Vp9Configuration &configuration);

struct Vp9KeyFrame {
  Vp9Configuration configuration; // its level is not known
  uint32_t width = 0;             // 1..65536
  uint32_t height = 0;
};

// The uncompressed header of a key frame (VP9 Bitstream specification section 6.2). Empty: another frame, or malformed.
std::optional<Vp9KeyFrame> parse_vp9_key_frame(Bytes frame);
// The smallest level that allows such pictures (Annex A): 10 for level 1, 61 for 6.1; 62 also for more than that.
uint8_t vp9_level(uint32_t width, uint32_t height, double frame_rate);

} // namespace sluice::media
