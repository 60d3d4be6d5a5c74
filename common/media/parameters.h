// The parameter sets that a track's fmtp carries (RFC 6184 section 8.1, RFC 7798 section 7.1), and fmtp
// parameters in general. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::media {

// The value of `name` (compared without regard to case) in "a=1; b=2"; empty when it is not there.
std::optional<std::string_view> fmtp_value(std::string_view fmtp, std::string_view name);

// The first set of each kind, without start code; empty = not known. VPS is for H.265 only. AV1 has one, its sequence
// header without size field, in the place of the SPS.
struct ParameterSets {
  ByteVector vps;
  ByteVector sps;
  ByteVector pps;

  bool operator==(const ParameterSets &) const = default;
};

// Of an H264 or H265 track; other tracks have none. Errors: invalid base64, a set longer than
// kMaxParameterSet. NAL units of other types are ignored.
Result<ParameterSets> parse_parameter_sets(const Track &track);

// "packetization-mode=1; sprop-parameter-sets=<sps>,<pps>; profile-level-id=<6 HEX>"; without both sets
// "packetization-mode=1" alone.
std::string write_h264_fmtp(const ParameterSets &sets);
// "sprop-vps=<vps>; sprop-sps=<sps>; sprop-pps=<pps>"; unknown sets are left out.
std::string write_h265_fmtp(const ParameterSets &sets);

} // namespace sluice::media
