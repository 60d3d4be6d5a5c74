// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3): what a decoder of H.265 has to know before the
// first picture, as FLV and MP4 carry it. Pure.
//
//   configurationVersion (8) | profile space (2), tier (1), profile (5) | compatibility (32) | constraints (48) | level
//   (8) | 1s (4) min_spatial_segmentation (12) | 1s (6) parallelism (2) | 1s (6) chroma (2) | 1s (5) luma depth - 8 (3)
//   | 1s (5) chroma depth - 8 (3) | frame rate (16) | constant (2), layers (3), nested (1), lengthSizeMinusOne (2)
//   | number of arrays (8) { completeness (1), 0 (1), type (6), count (16) { length (16), NAL unit }… }…
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/parameters.h"

#include <vector>

namespace sluice::media {

struct HevcConfiguration {
  uint8_t length_size = 4; // of the field before each NAL unit: 1..4 bytes
  ParameterSets sets;      // the first of each kind; the record has all three
  std::vector<ByteVector> further_sets;

  bool operator==(const HevcConfiguration &) const = default;
};

// Errors: another version, too short, a kind of set is missing, a set is longer than kMaxParameterSet. Other NAL units
// (SEI) are left out.
Result<HevcConfiguration> parse_hevc_configuration(Bytes bytes);
// With fields of 4 bytes. Errors: a set is missing, the SPS is not understood.
Result<ByteVector> write_hevc_configuration(const ParameterSets &sets);

} // namespace sluice::media
