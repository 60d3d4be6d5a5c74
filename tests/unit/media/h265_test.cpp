#include "common/media/h265.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

// Made by x265; the expectations are what ffprobe says of the same streams.
struct Sample {
  const char *sps;
  uint8_t profile, level;
  uint32_t width, height;
  uint8_t reorder, sub_layers, chroma_format, bit_depth;
};

const Sample kSamples[] = {
    {"42010101600000030090000003000003003ca00a080f165959a4932bc05a020000030002000003003210", 1, 60, 320, 240, 2, 1, 1,
     8},
    {"420101022000000300900000030000030078a003c08010e4d96566924caf016808000003000800000300c840", 2, 120, 1920, 1080, 2,
     1, 1, 10},
    {"4201010408000003009d0800000300003fb005120171c93e592a4932bc05a02000000300200000030321", 4, 63, 642, 362, 0, 1, 2,
     8},
    {"42010201600000030090000003000003003c0000a00b080485965662b349272bc05a020000030002000003003210", 1, 60, 352, 288, 2,
     2, 1, 8},
    {"4201010408000003009e0800000300003f9000a2402e39e7cb2b349265780b40400000030040000006580325978007a10001e84880", 4,
     63, 642, 362, 2, 1, 3, 8},
};

TEST(H265Sps, AgreesWithFfprobe) {
  for (const Sample &sample : kSamples) {
    auto sps = parse_h265_sps(hex(sample.sps));
    ASSERT_TRUE(sps) << sample.sps << ": " << sps.error().message;
    EXPECT_EQ(sps->profile_idc, sample.profile);
    EXPECT_EQ(sps->level_idc, sample.level);
    EXPECT_EQ(sps->width, sample.width);
    EXPECT_EQ(sps->height, sample.height);
    EXPECT_EQ(sps->reorder_pictures, sample.reorder);
    EXPECT_EQ(sps->sub_layers, sample.sub_layers);
    EXPECT_EQ(sps->chroma_format_idc, sample.chroma_format);
    EXPECT_EQ(sps->bit_depth_luma, sample.bit_depth);
    EXPECT_EQ(sps->bit_depth_chroma, sample.bit_depth);
    EXPECT_EQ(sps->frame_duration, 40 * kMillisecond) << sample.sps;
    EXPECT_FALSE(sps->high_tier);
    EXPECT_EQ(sps->profile_space, 0);
  }
}

TEST(H265Sps, ReadsTheProfile) {
  auto sps = parse_h265_sps(hex(kSamples[0].sps));
  EXPECT_EQ(sps->profile_compatibility, 0x60000000u);
  EXPECT_EQ(sps->constraints, 0x900000000000u);
}

TEST(H265Sps, RefusesWhatIsCutBeforeItsVui) {
  for (const Sample &sample : kSamples) {
    ByteVector whole = hex(sample.sps);
    size_t accepted = 0;
    for (size_t size = 0; size < whole.size(); size++) {
      auto sps = parse_h265_sps(Bytes(whole).first(size));
      if (!sps) {
        EXPECT_EQ(accepted, 0u);
        continue;
      }
      accepted++;
      EXPECT_EQ(sps->width, sample.width);
      EXPECT_EQ(sps->reorder_pictures, sample.reorder);
    }
    EXPECT_FALSE(parse_h265_sps(Bytes(whole).first(20)));
    EXPECT_GT(accepted, 0u);
  }
}

TEST(H265Nal, IdentifiersOfParameterSets) {
  EXPECT_EQ(parse_h265_vps_id(hex("40010c01ffff")).value(), 0);
  EXPECT_EQ(parse_h265_vps_id(hex("40013c01ffff")).value(), 3);
  EXPECT_FALSE(parse_h265_vps_id(hex("4001")));
  EXPECT_FALSE(parse_h265_vps_id(hex("42010c")));
  EXPECT_EQ(parse_h265_pps_id(hex("4401c172b46240")).value(), 0);
  EXPECT_EQ(parse_h265_pps_id(hex("440140")).value(), 1);
  EXPECT_FALSE(parse_h265_pps_id(hex("4401")));
  EXPECT_FALSE(parse_h265_pps_id({}));
}

TEST(H265Nal, KnowsItsTypes) {
  EXPECT_EQ(h265_nal_type(0x40), H265Nal::Vps);
  EXPECT_EQ(h265_nal_type(0x26), H265Nal::IdrWRadl);
  EXPECT_TRUE(is_h265_irap(h265_nal_type(0x26)));
  EXPECT_TRUE(is_h265_irap(H265Nal::Cra));
  EXPECT_FALSE(is_h265_irap(h265_nal_type(0x02)));
  EXPECT_FALSE(is_h265_irap(H265Nal::Vps));
  EXPECT_TRUE(is_h265_slice(h265_nal_type(0x02)));
  EXPECT_FALSE(is_h265_slice(H265Nal::Sps));
}

} // namespace
} // namespace sluice::media
