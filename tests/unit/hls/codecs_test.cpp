// The expected names are those that FFmpeg's DASH muxer gives to the same streams, or stand in the bindings' examples.

#include "tests/unit/media/hex.h"
#include "workers/hls/mux/codecs.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

TEST(Codecs, OfH264AreThreeBytesOfTheSps) {
  EXPECT_EQ(avc_codec(hex("6764001facd94050")), "avc1.64001f");
  EXPECT_EQ(avc_codec(hex("6742C00BD902")), "avc1.42c00b");
}

TEST(Codecs, OfH265HaveReversedFlagsAndNoTrailingZeros) {
  media::H265Sps sps;
  sps.profile_idc = 1;
  sps.profile_compatibility = 0x60000000;
  sps.constraints = 0x900000000000;
  sps.level_idc = 93;
  EXPECT_EQ(hevc_codec(sps), "hvc1.1.6.L93.90");
  sps.profile_idc = 2;
  sps.profile_compatibility = 0x20000000;
  sps.constraints = 0xb00000000001;
  sps.high_tier = true;
  EXPECT_EQ(hevc_codec(sps), "hvc1.2.4.H93.B0.0.0.0.0.1");
  sps.constraints = 0;
  sps.profile_space = 1;
  EXPECT_EQ(hevc_codec(sps), "hvc1.A2.4.H93");
}

TEST(Codecs, OfAv1AndVp9HaveTwoDigits) {
  EXPECT_EQ(av1_codec({.profile = 0, .level = 4, .tier = 0, .bit_depth = 10}), "av01.0.04M.10");
  EXPECT_EQ(av1_codec({.profile = 2, .level = 13, .tier = 1, .bit_depth = 12}), "av01.2.13H.12");
  EXPECT_EQ(vp9_codec({.profile = 0, .level = 31, .bit_depth = 8}), "vp09.00.31.08");
}

TEST(Codecs, OfAacTellExtensions) {
  media::AacConfig config;
  EXPECT_EQ(aac_codec(config), "mp4a.40.2");
  config.sbr = true;
  EXPECT_EQ(aac_codec(config), "mp4a.40.5");
  config.ps = true;
  EXPECT_EQ(aac_codec(config), "mp4a.40.29");
}

} // namespace
} // namespace sluice::hls
