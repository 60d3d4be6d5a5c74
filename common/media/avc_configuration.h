// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3): what a decoder of H.264 has to know before the first
// picture, as FLV and MP4 carry it. Pure.
//
//   configurationVersion = 1 (8) | profile, compatibility, level (24) | 1s (6) lengthSizeMinusOne (2)
//   | 1s (3) number of SPS (5) { length (16), SPS }… | number of PPS (8) { length (16), PPS }… | extension, ignored
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/parameters.h"

#include <vector>

namespace sluice::media {

struct AvcConfiguration {
  uint8_t length_size = 4; // of the field before each NAL unit: 1..4 bytes
  ParameterSets sets;      // the first of each kind; the record has both
  std::vector<ByteVector> further_sets;

  bool operator==(const AvcConfiguration &) const = default;
};

// Errors: another version, too short, no SPS or PPS, a set of another type or longer than kMaxParameterSet.
Result<AvcConfiguration> parse_avc_configuration(Bytes bytes);
// With fields of 4 bytes. Errors: a set is missing, the SPS is not understood.
Result<ByteVector> write_avc_configuration(const ParameterSets &sets);

} // namespace sluice::media
