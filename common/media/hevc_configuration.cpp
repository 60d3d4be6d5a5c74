#include "common/media/hevc_configuration.h"

#include "common/media/h265.h"
#include "common/media/nal_unit.h"

namespace sluice::media {

namespace {

constexpr size_t kHeadSize = 23; // with the number of arrays

Error too_short() {
  return Error{"invalid HEVC configuration: too short"};
}

void keep(HevcConfiguration &configuration, ByteVector &first, Bytes set) {
  if (first.empty())
    first.assign(set.begin(), set.end());
  else
    configuration.further_sets.emplace_back(set.begin(), set.end());
}

Result<void> keep_set(HevcConfiguration &configuration, Bytes set) {
  if (set.size() < 3) return {};
  H265Nal type = h265_nal_type(set[0]);
  if (type != H265Nal::Vps && type != H265Nal::Sps && type != H265Nal::Pps) return {};
  if (set.size() > kMaxParameterSet) return Error{"invalid HEVC configuration: a parameter set is too long"};
  ParameterSets &sets = configuration.sets;
  keep(configuration, type == H265Nal::Vps ? sets.vps : type == H265Nal::Sps ? sets.sps : sets.pps, set);
  return {};
}

void append_be16(ByteVector &out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

} // namespace

Result<HevcConfiguration> parse_hevc_configuration(Bytes bytes) {
  ByteReader reader(bytes);
  auto head = reader.bytes(kHeadSize);
  if (!head) return too_short();
  if ((*head)[0] > 1) return Error{"invalid HEVC configuration: unknown version"}; // 0: from before the standard
  HevcConfiguration configuration;
  configuration.length_size = static_cast<uint8_t>(((*head)[21] & 3) + 1);
  for (unsigned array = 0; array < (*head)[22]; array++) {
    auto type = reader.u8();
    auto count = reader.u16();
    if (!type || !count) return too_short();
    for (unsigned i = 0; i < *count; i++) {
      auto size = reader.u16();
      auto set = size ? reader.bytes(*size) : std::nullopt;
      if (!set) return too_short();
      TRY(keep_set(configuration, *set));
    }
  }
  const ParameterSets &sets = configuration.sets;
  if (sets.vps.empty() || sets.sps.empty() || sets.pps.empty())
    return Error{"invalid HEVC configuration: a parameter set is missing"};
  return configuration;
}

Result<ByteVector> write_hevc_configuration(const ParameterSets &sets) {
  if (sets.vps.empty() || sets.sps.empty() || sets.pps.empty()) return Error{"the H265 parameter sets are not known"};
  H265Sps sps = TRY(parse_h265_sps(sets.sps));
  ByteVector out(kHeadSize);
  out[0] = 1;
  out[1] = static_cast<uint8_t>(sps.profile_space << 6 | (sps.high_tier ? 0x20 : 0) | sps.profile_idc);
  store_be32(out.data() + 2, sps.profile_compatibility);
  store_be32(out.data() + 6, static_cast<uint32_t>(sps.constraints >> 16));
  store_be16(out.data() + 10, static_cast<uint16_t>(sps.constraints));
  out[12] = sps.level_idc;
  store_be16(out.data() + 13, 0xf000); // min_spatial_segmentation_idc: not known
  out[15] = 0xfc;                      // parallelismType: not known
  out[16] = static_cast<uint8_t>(0xfc | sps.chroma_format_idc);
  out[17] = static_cast<uint8_t>(0xf8 | (sps.bit_depth_luma - 8));
  out[18] = static_cast<uint8_t>(0xf8 | (sps.bit_depth_chroma - 8));
  out[21] = static_cast<uint8_t>(sps.sub_layers << 3 | 3); // the frame rate before it is not stated
  out[22] = 3;
  for (const ByteVector *set : {&sets.vps, &sets.sps, &sets.pps}) {
    out.push_back(static_cast<uint8_t>(0x80 | static_cast<uint8_t>(h265_nal_type((*set)[0]))));
    append_be16(out, 1);
    append_be16(out, set->size());
    out.insert(out.end(), set->begin(), set->end());
  }
  return out;
}

} // namespace sluice::media
