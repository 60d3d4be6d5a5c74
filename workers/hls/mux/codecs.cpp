#include "workers/hls/mux/codecs.h"

#include <fmt/format.h>

#include <array>

namespace sluice::hls {

std::string avc_codec(Bytes sps) {
  return fmt::format("avc1.{:02x}{:02x}{:02x}", sps[1], sps[2], sps[3]);
}

// Compatibility flags from the last to the first, constraints in bytes without those at the end that are 0.
std::string hevc_codec(const media::H265Sps &sps) {
  uint32_t compatibility = 0;
  for (unsigned i = 0; i < 32; i++) compatibility |= (sps.profile_compatibility >> i & 1) << (31 - i);
  static constexpr std::array<const char *, 4> kSpaces = {"", "A", "B", "C"};
  std::string out = fmt::format("hvc1.{}{}.{:X}.{}{}", kSpaces[sps.profile_space & 3], sps.profile_idc, compatibility,
                                sps.high_tier ? 'H' : 'L', sps.level_idc);
  for (int shift = 40; shift >= 0 && (sps.constraints & ((uint64_t{1} << (shift + 8)) - 1)) != 0; shift -= 8)
    out += fmt::format(".{:X}", sps.constraints >> shift & 0xff);
  return out;
}

std::string av1_codec(const media::Av1Sequence &sequence) {
  return fmt::format("av01.{}.{:02}{}.{:02}", sequence.profile, sequence.level, sequence.tier != 0 ? 'H' : 'M',
                     sequence.bit_depth);
}

std::string vp9_codec(const media::Vp9Configuration &vp9) {
  return fmt::format("vp09.{:02}.{:02}.{:02}", vp9.profile, vp9.level, vp9.bit_depth);
}

std::string aac_codec(const media::AacConfig &config) {
  return fmt::format("mp4a.40.{}", config.ps ? 29 : config.sbr ? 5 : config.object_type);
}

} // namespace sluice::hls
