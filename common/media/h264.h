// H.264 (ITU-T H.264): NAL unit types and the sequence parameter set. Pure; NAL units are without start code.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

#include <optional>

namespace sluice::media {

enum class H264Nal : uint8_t {
  Slice = 1,
  PartitionA = 2,
  Idr = 5,
  Sei = 6,
  Sps = 7,
  Pps = 8,
  Delimiter = 9,
  // RFC 6184 section 5.2
  StapA = 24,
  StapB = 25,
  Mtap16 = 26,
  Mtap24 = 27,
  FuA = 28,
  FuB = 29,
};

inline H264Nal h264_nal_type(uint8_t header) {
  return static_cast<H264Nal>(header & 0x1f);
}
// Slices and slice partitions: what carries a picture.
inline bool is_h264_slice(H264Nal type) {
  return type >= H264Nal::Slice && type <= H264Nal::Idr;
}

struct H264Sps {
  uint8_t profile_idc = 0;
  uint8_t constraints = 0; // constraint_set flags, as in the byte after profile_idc
  uint8_t level_idc = 0;
  uint8_t id = 0; // 0..31
  uint8_t chroma_format_idc = 1;
  bool separate_colour_planes = false;
  uint8_t bit_depth_luma = 8;
  uint8_t bit_depth_chroma = 8;
  uint8_t log2_max_frame_num = 4;
  uint8_t poc_type = 0;           // 0..2
  uint8_t log2_max_poc_lsb = 4;   // poc_type 0
  uint8_t max_num_ref_frames = 0; // 0..16
  bool frame_mbs_only = true;
  uint32_t width = 0; // after cropping, 1..16384
  uint32_t height = 0;
  std::optional<uint8_t> reorder_frames;     // how many pictures may precede one in decoding and follow it in output
  std::optional<Nanoseconds> frame_duration; // from the VUI; that of a frame, not of a field
};

// Errors: not an SPS, too short, a value out of its range.
Result<H264Sps> parse_h264_sps(Bytes nal_unit);
// The identifier of a picture parameter set, 0..255.
Result<uint8_t> parse_h264_pps_id(Bytes nal_unit);

} // namespace sluice::media
