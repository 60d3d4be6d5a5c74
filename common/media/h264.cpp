#include "common/media/h264.h"

#include "common/media/bit_reader.h"
#include "common/media/nal_unit.h"

namespace sluice::media {

namespace {

constexpr uint32_t kMaxDimension = 16384;

struct Crop {
  uint32_t left = 0, right = 0, top = 0, bottom = 0;
};

bool has_chroma_information(uint8_t profile_idc) {
  switch (profile_idc) {
  case 44:
  case 83:
  case 86:
  case 100:
  case 110:
  case 118:
  case 122:
  case 128:
  case 134:
  case 135:
  case 138:
  case 139:
  case 244:
    return true;
  default:
    return false;
  }
}

// Section 7.3.2.1.1.1.
void skip_scaling_list(BitReader &reader, size_t size) {
  int32_t last = 8;
  int32_t next = 8;
  for (size_t i = 0; i < size && reader.ok(); i++) {
    if (next != 0) {
      int32_t delta = reader.se();
      if (delta < -128 || delta > 127) delta = 0;
      next = (last + delta + 256) % 256;
    }
    if (next != 0) last = next;
  }
}

Result<void> parse_chroma_information(BitReader &reader, H264Sps &sps) {
  uint32_t chroma_format = reader.ue();
  if (chroma_format > 3) return Error{"invalid H264 SPS: chroma_format_idc"};
  sps.chroma_format_idc = static_cast<uint8_t>(chroma_format);
  if (chroma_format == 3) sps.separate_colour_planes = reader.flag();
  uint32_t luma = reader.ue();
  uint32_t chroma = reader.ue();
  if (luma > 6 || chroma > 6) return Error{"invalid H264 SPS: bit depth"};
  sps.bit_depth_luma = static_cast<uint8_t>(8 + luma);
  sps.bit_depth_chroma = static_cast<uint8_t>(8 + chroma);
  reader.skip(1);      // qpprime_y_zero_transform_bypass_flag
  if (reader.flag()) { // seq_scaling_matrix_present_flag
    for (size_t i = 0; i < (chroma_format == 3 ? 12u : 8u); i++) {
      if (reader.flag()) skip_scaling_list(reader, i < 6 ? 16 : 64);
    }
  }
  return {};
}

Result<void> parse_order_count(BitReader &reader, H264Sps &sps) {
  uint32_t type = reader.ue();
  if (type > 2) return Error{"invalid H264 SPS: pic_order_cnt_type"};
  sps.poc_type = static_cast<uint8_t>(type);
  if (type == 0) {
    uint32_t lsb = reader.ue();
    if (lsb > 12) return Error{"invalid H264 SPS: log2_max_pic_order_cnt_lsb"};
    sps.log2_max_poc_lsb = static_cast<uint8_t>(4 + lsb);
  } else if (type == 1) {
    reader.skip(1); // delta_pic_order_always_zero_flag
    reader.se();    // offset_for_non_ref_pic
    reader.se();    // offset_for_top_to_bottom_field
    uint32_t count = reader.ue();
    if (count > 255) return Error{"invalid H264 SPS: num_ref_frames_in_pic_order_cnt_cycle"};
    for (uint32_t i = 0; i < count && reader.ok(); i++) reader.se();
  }
  return {};
}

// Width and height in luma samples, section 7.4.2.1.1.
Result<void> set_dimensions(H264Sps &sps, uint32_t width_mbs, uint32_t height_map_units, const Crop &crop) {
  uint64_t field_factor = sps.frame_mbs_only ? 1 : 2;
  uint64_t crop_x = sps.chroma_format_idc == 1 || sps.chroma_format_idc == 2 ? 2 : 1;
  uint64_t crop_y = (sps.chroma_format_idc == 1 ? 2 : 1) * field_factor;
  uint64_t width = uint64_t{width_mbs} * 16;
  uint64_t height = uint64_t{height_map_units} * 16 * field_factor;
  uint64_t cut_x = (uint64_t{crop.left} + crop.right) * crop_x;
  uint64_t cut_y = (uint64_t{crop.top} + crop.bottom) * crop_y;
  if (width > kMaxDimension || height > kMaxDimension || cut_x >= width || cut_y >= height)
    return Error{"invalid H264 SPS: picture size"};
  sps.width = static_cast<uint32_t>(width - cut_x);
  sps.height = static_cast<uint32_t>(height - cut_y);
  return {};
}

void skip_hrd(BitReader &reader) {
  uint32_t count = reader.ue() + 1;
  if (count > 32) count = 32;
  reader.skip(8);
  for (uint32_t i = 0; i < count && reader.ok(); i++) {
    reader.ue();
    reader.ue();
    reader.skip(1);
  }
  reader.skip(20);
}

// Annex E.1.1. A VUI that ends early leaves what it did not say unknown: encoders exist that cut it.
void parse_vui(BitReader &reader, H264Sps &sps) {
  if (reader.flag() && reader.bits(8) == 255) reader.skip(32); // aspect_ratio_info_present_flag, Extended_SAR
  if (reader.flag()) reader.skip(1);                           // overscan
  if (reader.flag()) {                                         // video_signal_type_present_flag
    reader.skip(4);
    if (reader.flag()) reader.skip(24);
  }
  if (reader.flag()) { // chroma_loc_info_present_flag
    reader.ue();
    reader.ue();
  }
  if (reader.flag()) { // timing_info_present_flag
    uint64_t units_in_tick = reader.bits(32);
    uint64_t time_scale = reader.bits(32);
    reader.skip(1);
    if (reader.ok() && units_in_tick > 0 && time_scale > 0) {
      uint64_t duration = 2 * units_in_tick * static_cast<uint64_t>(kSecond) / time_scale; // two ticks are a frame
      if (duration > 0 && duration <= static_cast<uint64_t>(kSecond)) {
        sps.frame_duration = static_cast<Nanoseconds>(duration);
      }
    }
  }
  bool nal_hrd = reader.flag();
  if (nal_hrd) skip_hrd(reader);
  bool vcl_hrd = reader.flag();
  if (vcl_hrd) skip_hrd(reader);
  if (nal_hrd || vcl_hrd) reader.skip(1); // low_delay_hrd_flag
  reader.skip(1);                         // pic_struct_present_flag
  if (reader.flag()) {                    // bitstream_restriction_flag
    reader.skip(1);
    for (int i = 0; i < 4; i++) reader.ue();
    uint32_t reorder = reader.ue();
    reader.ue(); // max_dec_frame_buffering
    if (reader.ok() && reorder <= 16) sps.reorder_frames = static_cast<uint8_t>(reorder);
  }
}

} // namespace

Result<H264Sps> parse_h264_sps(Bytes nal_unit) {
  if (nal_unit.empty() || h264_nal_type(nal_unit[0]) != H264Nal::Sps) return Error{"not an H264 SPS"};
  RawPayload raw(nal_unit);
  BitReader reader(raw.bytes());
  reader.skip(8);
  H264Sps sps;
  sps.profile_idc = static_cast<uint8_t>(reader.bits(8));
  sps.constraints = static_cast<uint8_t>(reader.bits(8));
  sps.level_idc = static_cast<uint8_t>(reader.bits(8));
  uint32_t id = reader.ue();
  if (id > 31) return Error{"invalid H264 SPS: seq_parameter_set_id"};
  sps.id = static_cast<uint8_t>(id);
  if (has_chroma_information(sps.profile_idc)) TRY(parse_chroma_information(reader, sps));
  uint32_t frame_num = reader.ue();
  if (frame_num > 12) return Error{"invalid H264 SPS: log2_max_frame_num"};
  sps.log2_max_frame_num = static_cast<uint8_t>(4 + frame_num);
  TRY(parse_order_count(reader, sps));
  uint32_t references = reader.ue();
  if (references > 16) return Error{"invalid H264 SPS: max_num_ref_frames"};
  sps.max_num_ref_frames = static_cast<uint8_t>(references);
  reader.skip(1); // gaps_in_frame_num_value_allowed_flag
  uint32_t width_minus1 = reader.ue();
  uint32_t height_minus1 = reader.ue();
  if (width_minus1 >= kMaxDimension || height_minus1 >= kMaxDimension) return Error{"invalid H264 SPS: picture size"};
  sps.frame_mbs_only = reader.flag();
  if (!sps.frame_mbs_only) reader.skip(1); // mb_adaptive_frame_field_flag
  reader.skip(1);                          // direct_8x8_inference_flag
  Crop crop;
  if (reader.flag()) crop = {reader.ue(), reader.ue(), reader.ue(), reader.ue()};
  bool has_vui = reader.flag();
  if (!reader.ok()) return Error{"invalid H264 SPS: too short"};
  TRY(set_dimensions(sps, width_minus1 + 1, height_minus1 + 1, crop));
  if (has_vui) parse_vui(reader, sps);
  // Nothing can be reordered when output order is decoding order, or where the profile has no B slices.
  bool baseline = sps.profile_idc == 66;
  if (!sps.reorder_frames && (sps.poc_type == 2 || baseline || sps.max_num_ref_frames == 0)) sps.reorder_frames = 0;
  return sps;
}

Result<uint8_t> parse_h264_pps_id(Bytes nal_unit) {
  if (nal_unit.empty() || h264_nal_type(nal_unit[0]) != H264Nal::Pps) return Error{"not an H264 PPS"};
  RawPayload raw(nal_unit);
  BitReader reader(raw.bytes());
  reader.skip(8);
  uint32_t id = reader.ue();
  if (!reader.ok() || id > 255) return Error{"invalid H264 PPS"};
  return static_cast<uint8_t>(id);
}

} // namespace sluice::media
