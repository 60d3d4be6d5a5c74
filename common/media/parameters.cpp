#include "common/media/parameters.h"

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/nal_unit.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::media {

namespace {

// Calls `use` for each of the comma-separated base64 values.
template <class Use> Result<void> for_each_set(std::string_view list, Use use) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    ByteVector set = TRY(base64_decode(trim(list.substr(0, comma))));
    if (set.size() > kMaxParameterSet) return Error{"a parameter set is too long"};
    if (!set.empty()) use(std::move(set));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return {};
}

void keep_first(ByteVector &target, ByteVector &&set) {
  if (target.empty()) target = std::move(set);
}

} // namespace

std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view name) {
  while (!fmtp.empty()) {
    size_t end = std::min(fmtp.find(';'), fmtp.size());
    std::string_view parameter = fmtp.substr(0, end);
    fmtp.remove_prefix(std::min(end + 1, fmtp.size()));
    size_t equals = parameter.find('=');
    if (!equal_ignoring_case(trim(parameter.substr(0, equals)), name)) continue;
    return equals == std::string_view::npos ? std::string_view{} : trim(parameter.substr(equals + 1));
  }
  return std::nullopt;
}

Result<ParameterSets> parse_parameter_sets(const Track &track) {
  ParameterSets sets;
  if (track.codec == Codec::H264) {
    TRY(for_each_set(fmtp_value(track.fmtp, "sprop-parameter-sets").value_or(""), [&](ByteVector set) {
      if (h264_nal_type(set[0]) == H264Nal::Sps)
        keep_first(sets.sps, std::move(set));
      else if (h264_nal_type(set[0]) == H264Nal::Pps)
        keep_first(sets.pps, std::move(set));
    }));
  } else if (track.codec == Codec::H265) {
    for (const char *name : {"sprop-vps", "sprop-sps", "sprop-pps"}) {
      TRY(for_each_set(fmtp_value(track.fmtp, name).value_or(""), [&](ByteVector set) {
        if (h265_nal_type(set[0]) == H265Nal::Vps)
          keep_first(sets.vps, std::move(set));
        else if (h265_nal_type(set[0]) == H265Nal::Sps)
          keep_first(sets.sps, std::move(set));
        else if (h265_nal_type(set[0]) == H265Nal::Pps)
          keep_first(sets.pps, std::move(set));
      }));
    }
  }
  return sets;
}

std::string write_h264_fmtp(const ParameterSets &sets) {
  std::string out = "packetization-mode=1";
  if (sets.sps.size() < 4 || sets.pps.empty()) return out;
  out += "; sprop-parameter-sets=" + base64_encode(sets.sps) + "," + base64_encode(sets.pps);
  out += fmt::format("; profile-level-id={:02X}{:02X}{:02X}", sets.sps[1], sets.sps[2], sets.sps[3]);
  return out;
}

std::string write_h265_fmtp(const ParameterSets &sets) {
  std::string out;
  auto add = [&out](const char *name, const ByteVector &set) {
    if (set.empty()) return;
    if (!out.empty()) out += "; ";
    out += std::string(name) + "=" + base64_encode(set);
  };
  add("sprop-vps", sets.vps);
  add("sprop-sps", sets.sps);
  add("sprop-pps", sets.pps);
  return out;
}

} // namespace sluice::media
