#include "common/media/avc_configuration.h"

#include "common/media/h264.h"
#include "common/media/nal_unit.h"

namespace sluice::media {

namespace {

Error too_short() {
  return Error{"invalid AVC configuration: too short"};
}

// One set is taken as the first, others follow it.
Result<void> read_sets(ByteReader &reader, size_t count, H264Nal type, ByteVector &first,
                       std::vector<ByteVector> &further) {
  for (size_t i = 0; i < count; i++) {
    auto size = reader.u16();
    auto set = size ? reader.bytes(*size) : std::nullopt;
    if (!set) return too_short();
    if (set->empty()) continue;
    if (h264_nal_type((*set)[0]) != type) return Error{"invalid AVC configuration: a set of another type"};
    if (set->size() > kMaxParameterSet) return Error{"invalid AVC configuration: a parameter set is too long"};
    if (first.empty())
      first.assign(set->begin(), set->end());
    else
      further.emplace_back(set->begin(), set->end());
  }
  return {};
}

void append_set(ByteVector &out, const ByteVector &set) {
  out.push_back(static_cast<uint8_t>(set.size() >> 8));
  out.push_back(static_cast<uint8_t>(set.size()));
  out.insert(out.end(), set.begin(), set.end());
}

bool has_chroma_fields(uint8_t profile_idc) {
  return profile_idc == 100 || profile_idc == 110 || profile_idc == 122 || profile_idc == 144 || profile_idc == 244;
}

} // namespace

Result<AvcConfiguration> parse_avc_configuration(Bytes bytes) {
  ByteReader reader(bytes);
  auto head = reader.bytes(6);
  if (!head) return too_short();
  if ((*head)[0] != 1) return Error{"invalid AVC configuration: unknown version"};
  AvcConfiguration configuration;
  configuration.length_size = static_cast<uint8_t>(((*head)[4] & 3) + 1);
  ParameterSets &sets = configuration.sets;
  TRY(read_sets(reader, (*head)[5] & 0x1f, H264Nal::Sps, sets.sps, configuration.further_sets));
  auto pps_count = reader.u8();
  if (!pps_count) return too_short();
  TRY(read_sets(reader, *pps_count, H264Nal::Pps, sets.pps, configuration.further_sets));
  if (sets.sps.size() < 4 || sets.pps.empty()) return Error{"invalid AVC configuration: a parameter set is missing"};
  return configuration;
}

Result<ByteVector> write_avc_configuration(const ParameterSets &sets) {
  if (sets.sps.empty() || sets.pps.empty()) return Error{"the H264 parameter sets are not known"};
  H264Sps sps = TRY(parse_h264_sps(sets.sps));
  ByteVector out = {1, sps.profile_idc, sps.constraints, sps.level_idc, 0xff, 0xe1};
  append_set(out, sets.sps);
  out.push_back(1);
  append_set(out, sets.pps);
  if (has_chroma_fields(sps.profile_idc)) {
    out.push_back(static_cast<uint8_t>(0xfc | sps.chroma_format_idc));
    out.push_back(static_cast<uint8_t>(0xf8 | (sps.bit_depth_luma - 8)));
    out.push_back(static_cast<uint8_t>(0xf8 | (sps.bit_depth_chroma - 8)));
    out.push_back(0); // no SPS extensions
  }
  return out;
}

} // namespace sluice::media
