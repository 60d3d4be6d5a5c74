// H.265 (ITU-T H.265): NAL unit types and parameter sets. Pure; NAL units are without start code.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

#include <optional>

namespace sluice::media {

enum class H265Nal : uint8_t {
  BlaWLp = 16, // first of the IRAP types, 16..23 (section 7.4.2.2)
  IdrWRadl = 19,
  IdrNLp = 20,
  Cra = 21,
  LastIrap = 23,
  LastSlice = 31,
  Vps = 32,
  Sps = 33,
  Pps = 34,
  Delimiter = 35,
  PrefixSei = 39,
  SuffixSei = 40,
  // RFC 7798 section 4.4
  Aggregation = 48,
  Fragmentation = 49,
  Paci = 50,
};

inline H265Nal h265_nal_type(uint8_t first_header_byte) {
  return static_cast<H265Nal>(first_header_byte >> 1 & 0x3f);
}
inline bool is_h265_irap(H265Nal type) {
  return type >= H265Nal::BlaWLp && type <= H265Nal::LastIrap;
}
inline bool is_h265_slice(H265Nal type) {
  return type <= H265Nal::LastSlice;
}

struct H265Sps {
  uint8_t profile_space = 0;
  bool high_tier = false;
  uint8_t profile_idc = 0;
  uint32_t profile_compatibility = 0;
  uint64_t constraints = 0; // the 48 bits after the compatibility flags
  uint8_t level_idc = 0;
  uint8_t id = 0;         // 0..15
  uint8_t sub_layers = 1; // 1..7
  uint8_t chroma_format_idc = 1;
  uint8_t bit_depth_luma = 8;
  uint8_t bit_depth_chroma = 8;
  uint32_t width = 0; // inside the conformance window, 1..16384
  uint32_t height = 0;
  uint8_t reorder_pictures = 0;              // sps_max_num_reorder_pics of the highest sub-layer, 0..15
  std::optional<Nanoseconds> frame_duration; // from the VUI
};

// Errors: another NAL unit, too short, a value out of its range.
Result<H265Sps> parse_h265_sps(Bytes nal_unit);
// Identifiers of the other parameter sets: VPS 0..15, PPS 0..63.
Result<uint8_t> parse_h265_vps_id(Bytes nal_unit);
Result<uint8_t> parse_h265_pps_id(Bytes nal_unit);

} // namespace sluice::media
