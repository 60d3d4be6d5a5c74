#include "common/media/h265.h"

#include "common/media/bit_reader.h"
#include "common/media/nal_unit.h"

#include <algorithm>
#include <array>

namespace sluice::media {

namespace {

constexpr uint32_t kMaxDimension = 16384;
constexpr size_t kHeaderBits = 16;

// Section 7.3.3.
void parse_profile_tier_level(BitReader &reader, H265Sps &sps) {
  sps.profile_space = static_cast<uint8_t>(reader.bits(2));
  sps.high_tier = reader.flag();
  sps.profile_idc = static_cast<uint8_t>(reader.bits(5));
  sps.profile_compatibility = reader.bits(32);
  sps.constraints = uint64_t{reader.bits(32)} << 16;
  sps.constraints |= reader.bits(16);
  sps.level_idc = static_cast<uint8_t>(reader.bits(8));
  unsigned lower_layers = sps.sub_layers - 1u;
  std::array<bool, 8> has_profile{};
  std::array<bool, 8> has_level{};
  for (unsigned i = 0; i < lower_layers; i++) {
    has_profile[i] = reader.flag();
    has_level[i] = reader.flag();
  }
  if (lower_layers > 0) reader.skip(2 * size_t{8 - lower_layers});
  for (unsigned i = 0; i < lower_layers; i++) {
    if (has_profile[i]) reader.skip(88);
    if (has_level[i]) reader.skip(8);
  }
}

// Section 7.3.4.
Result<void> skip_scaling_lists(BitReader &reader) {
  for (unsigned size_id = 0; size_id < 4; size_id++) {
    for (unsigned matrix = 0; matrix < 6; matrix += size_id == 3 ? 3 : 1) {
      if (!reader.flag()) { // scaling_list_pred_mode_flag
        reader.ue();
        continue;
      }
      unsigned count = std::min(64u, 1u << (4 + (size_id << 1)));
      if (size_id > 1) reader.se();
      for (unsigned i = 0; i < count && reader.ok(); i++) reader.se();
      if (!reader.ok()) return Error{"invalid H265 SPS: too short"};
    }
  }
  return {};
}

// Section 7.3.7; at most 64 sets of at most 16 pictures each.
Result<void> skip_reference_sets(BitReader &reader) {
  uint32_t count = reader.ue();
  if (count > 64) return Error{"invalid H265 SPS: num_short_term_ref_pic_sets"};
  uint32_t former_pictures = 0;
  for (uint32_t set = 0; set < count; set++) {
    if (set > 0 && reader.flag()) { // inter_ref_pic_set_prediction_flag
      reader.skip(1);
      reader.ue();
      uint32_t pictures = 0;
      for (uint32_t i = 0; i <= former_pictures; i++) {
        bool used = reader.flag();
        bool use_delta = used || reader.flag();
        if (use_delta) pictures++;
      }
      former_pictures = pictures;
    } else {
      uint32_t negative = reader.ue();
      uint32_t positive = reader.ue();
      if (negative > 16 || positive > 16) return Error{"invalid H265 SPS: reference pictures"};
      for (uint32_t i = 0; i < negative + positive; i++) {
        reader.ue();
        reader.skip(1);
      }
      former_pictures = negative + positive;
    }
    if (!reader.ok() || former_pictures > 32) return Error{"invalid H265 SPS: reference pictures"};
  }
  return {};
}

// Annex E.2.1 up to the timing information; a VUI that ends early leaves it unknown.
void parse_vui(BitReader &reader, H265Sps &sps) {
  if (reader.flag() && reader.bits(8) == 255) reader.skip(32); // aspect ratio
  if (reader.flag()) reader.skip(1);                           // overscan
  if (reader.flag()) {                                         // video_signal_type_present_flag
    reader.skip(4);
    if (reader.flag()) reader.skip(24);
  }
  if (reader.flag()) { // chroma_loc_info_present_flag
    reader.ue();
    reader.ue();
  }
  reader.skip(3);
  if (reader.flag()) { // default_display_window_flag
    for (int i = 0; i < 4; i++) reader.ue();
  }
  if (!reader.flag()) return; // vui_timing_info_present_flag
  uint64_t units_in_tick = reader.bits(32);
  uint64_t time_scale = reader.bits(32);
  if (!reader.ok() || units_in_tick == 0 || time_scale == 0) return;
  uint64_t duration = units_in_tick * static_cast<uint64_t>(kSecond) / time_scale;
  if (duration > 0 && duration <= static_cast<uint64_t>(kSecond)) {
    sps.frame_duration = static_cast<Nanoseconds>(duration);
  }
}

// Section 7.3.2.2.1 from chroma_format_idc to the bit depths.
Result<void> parse_format(BitReader &reader, H265Sps &sps) {
  uint32_t chroma_format = reader.ue();
  if (chroma_format > 3) return Error{"invalid H265 SPS: chroma_format_idc"};
  sps.chroma_format_idc = static_cast<uint8_t>(chroma_format);
  if (chroma_format == 3) reader.skip(1); // separate_colour_plane_flag
  uint64_t width = reader.ue();
  uint64_t height = reader.ue();
  uint64_t cut_x = 0;
  uint64_t cut_y = 0;
  if (reader.flag()) { // conformance_window_flag
    cut_x = uint64_t{reader.ue()};
    cut_x += reader.ue();
    cut_y = uint64_t{reader.ue()};
    cut_y += reader.ue();
    cut_x *= chroma_format == 1 || chroma_format == 2 ? 2 : 1;
    cut_y *= chroma_format == 1 ? 2 : 1;
  }
  uint32_t luma = reader.ue();
  uint32_t chroma = reader.ue();
  if (!reader.ok()) return Error{"invalid H265 SPS: too short"};
  if (luma > 8 || chroma > 8) return Error{"invalid H265 SPS: bit depth"};
  if (width > kMaxDimension || height > kMaxDimension || cut_x >= width || cut_y >= height)
    return Error{"invalid H265 SPS: picture size"};
  sps.bit_depth_luma = static_cast<uint8_t>(8 + luma);
  sps.bit_depth_chroma = static_cast<uint8_t>(8 + chroma);
  sps.width = static_cast<uint32_t>(width - cut_x);
  sps.height = static_cast<uint32_t>(height - cut_y);
  return {};
}

// The rest of the SPS up to its VUI, whose only use here is the frame duration.
Result<void> parse_tail(BitReader &reader, H265Sps &sps, uint32_t log2_max_poc_lsb) {
  for (int i = 0; i < 6; i++) reader.ue(); // block sizes and transform depths
  if (reader.flag() && reader.flag()) TRY(skip_scaling_lists(reader));
  reader.skip(2);
  if (reader.flag()) { // pcm_enabled_flag
    reader.skip(8);
    reader.ue();
    reader.ue();
    reader.skip(1);
  }
  TRY(skip_reference_sets(reader));
  if (reader.flag()) { // long_term_ref_pics_present_flag
    uint32_t count = reader.ue();
    if (count > 32) return Error{"invalid H265 SPS: num_long_term_ref_pics_sps"};
    for (uint32_t i = 0; i < count; i++) reader.skip(log2_max_poc_lsb + 1);
  }
  reader.skip(2);
  bool has_vui = reader.flag();
  if (!reader.ok()) return Error{"invalid H265 SPS: too short"};
  if (has_vui) parse_vui(reader, sps);
  return {};
}

bool is_type(Bytes nal_unit, H265Nal type) {
  return nal_unit.size() >= 2 && h265_nal_type(nal_unit[0]) == type;
}

} // namespace

Result<H265Sps> parse_h265_sps(Bytes nal_unit) {
  if (!is_type(nal_unit, H265Nal::Sps)) return Error{"not an H265 SPS"};
  RawPayload raw(nal_unit);
  BitReader reader(raw.bytes());
  reader.skip(kHeaderBits + 4); // and sps_video_parameter_set_id
  H265Sps sps;
  uint32_t lower_layers = reader.bits(3);
  if (lower_layers > 6) return Error{"invalid H265 SPS: sps_max_sub_layers_minus1"};
  sps.sub_layers = static_cast<uint8_t>(lower_layers + 1);
  reader.skip(1); // sps_temporal_id_nesting_flag
  parse_profile_tier_level(reader, sps);
  uint32_t id = reader.ue();
  if (id > 15) return Error{"invalid H265 SPS: sps_seq_parameter_set_id"};
  sps.id = static_cast<uint8_t>(id);
  TRY(parse_format(reader, sps));
  uint32_t poc_lsb = reader.ue();
  if (poc_lsb > 12) return Error{"invalid H265 SPS: log2_max_pic_order_cnt_lsb"};
  bool all_layers = reader.flag(); // sps_sub_layer_ordering_info_present_flag
  for (uint32_t i = all_layers ? 0 : lower_layers; i <= lower_layers; i++) {
    reader.ue();
    uint32_t reorder = reader.ue();
    reader.ue();
    if (reorder > 15) return Error{"invalid H265 SPS: sps_max_num_reorder_pics"};
    sps.reorder_pictures = static_cast<uint8_t>(reorder);
  }
  TRY(parse_tail(reader, sps, poc_lsb + 4));
  return sps;
}

Result<uint8_t> parse_h265_vps_id(Bytes nal_unit) {
  if (!is_type(nal_unit, H265Nal::Vps) || nal_unit.size() < 3) return Error{"not an H265 VPS"};
  return static_cast<uint8_t>(nal_unit[2] >> 4);
}

Result<uint8_t> parse_h265_pps_id(Bytes nal_unit) {
  if (!is_type(nal_unit, H265Nal::Pps)) return Error{"not an H265 PPS"};
  RawPayload raw(nal_unit);
  BitReader reader(raw.bytes());
  reader.skip(kHeaderBits);
  uint32_t id = reader.ue();
  if (!reader.ok() || id > 63) return Error{"invalid H265 PPS"};
  return static_cast<uint8_t>(id);
}

} // namespace sluice::media
