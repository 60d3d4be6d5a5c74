#include "common/media/h264.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

// Made by x264; the expectations are what ffprobe says of the same streams.
struct Sample {
  const char *sps;
  uint8_t profile, level;
  uint32_t width, height;
  uint8_t reorder;
  int64_t frames_per_second;
  uint8_t chroma_format, bit_depth;
  bool frame_mbs_only;
};

const Sample kSamples[] = {
    {"6742c00bd902c4ec0440000003004000000c83c50a92", 66, 11, 176, 144, 0, 25, 1, 8, true},
    {"674d4028eca03c0113f2e022000003000200000300641e30632c", 77, 40, 1920, 1080, 2, 25, 1, 8, true},
    {"6764001facd9405005bfac0440000003004000000c83c60c6580", 100, 31, 1280, 718, 2, 25, 1, 8, true},
    {"6764000aacd94426c044000003000400000300c83c489658", 100, 10, 64, 64, 2, 25, 1, 8, true},
    {"6764001eacd940b424d8088000000300800000190f8a14cb", 100, 30, 720, 576, 2, 25, 1, 8, false},
    {"6764001eacd940a02ff9701100000300010000030032602001e840007a12930c01e2c5b2c0", 100, 30, 640, 360, 2, 25, 1, 8,
     true},
    {"6764001eacd940a02ff97011000003000100000300320f162d96", 100, 30, 640, 360, 2, 25, 1, 8, true},
    {"677a000db6cd9415087888fc0440000003004000000f03c50a6580", 122, 13, 322, 242, 2, 30, 2, 10, true},
    {"67f4000d919b282a10f1f1f80880000003008000001e078a14cb", 244, 13, 322, 242, 2, 30, 3, 8, true},
};

TEST(H264Sps, AgreesWithFfprobe) {
  for (const Sample &sample : kSamples) {
    auto sps = parse_h264_sps(hex(sample.sps));
    ASSERT_TRUE(sps) << sample.sps << ": " << sps.error().message;
    EXPECT_EQ(sps->profile_idc, sample.profile);
    EXPECT_EQ(sps->level_idc, sample.level);
    EXPECT_EQ(sps->width, sample.width);
    EXPECT_EQ(sps->height, sample.height);
    EXPECT_EQ(sps->reorder_frames, sample.reorder);
    EXPECT_EQ(sps->frame_duration, kSecond / sample.frames_per_second) << sample.sps;
    EXPECT_EQ(sps->chroma_format_idc, sample.chroma_format);
    EXPECT_EQ(sps->bit_depth_luma, sample.bit_depth);
    EXPECT_EQ(sps->bit_depth_chroma, sample.bit_depth);
    EXPECT_EQ(sps->frame_mbs_only, sample.frame_mbs_only);
    EXPECT_EQ(sps->id, 0);
  }
}

TEST(H264Sps, ReadsTheOrderCountFields) {
  auto sps = parse_h264_sps(hex(kSamples[0].sps));
  EXPECT_EQ(sps->constraints, 0xc0);
  EXPECT_EQ(sps->poc_type, 2);
  auto with_b = parse_h264_sps(hex(kSamples[3].sps));
  EXPECT_EQ(with_b->poc_type, 0);
  EXPECT_EQ(with_b->max_num_ref_frames, 4);
}

TEST(H264Sps, RefusesWhatIsCutBeforeItsVui) {
  for (const Sample &sample : kSamples) {
    ByteVector whole = hex(sample.sps);
    size_t accepted = 0;
    for (size_t size = 0; size < whole.size(); size++) {
      auto sps = parse_h264_sps(Bytes(whole).first(size));
      if (!sps) {
        EXPECT_EQ(accepted, 0u); // once there is enough, more never hurts
        continue;
      }
      accepted++;
      EXPECT_EQ(sps->width, sample.width);
      EXPECT_EQ(sps->height, sample.height);
    }
    EXPECT_FALSE(parse_h264_sps(Bytes(whole).first(6)));
    EXPECT_GT(accepted, 0u);
  }
}

TEST(H264Sps, RefusesOtherNalUnits) {
  EXPECT_FALSE(parse_h264_sps({}));
  EXPECT_FALSE(parse_h264_sps(hex("68ebe3cb22c0")));
}

TEST(H264Sps, RefusesValuesOutOfRange) {
  EXPECT_FALSE(parse_h264_sps(hex("67 42c00b 04 00000000"))); // identifier 32 or more
  EXPECT_FALSE(parse_h264_sps(hex("67 42c00b d9 0000000000000000000000")));
}

TEST(H264Pps, HasAnIdentifier) {
  EXPECT_EQ(parse_h264_pps_id(hex("68ebe3cb22c0")).value(), 0);
  EXPECT_EQ(parse_h264_pps_id(hex("6848")).value(), 1);
  EXPECT_FALSE(parse_h264_pps_id(hex("68")));
  EXPECT_FALSE(parse_h264_pps_id(hex("6764")));
}

TEST(H264Nal, KnowsSlices) {
  EXPECT_TRUE(is_h264_slice(h264_nal_type(0x65)));
  EXPECT_TRUE(is_h264_slice(h264_nal_type(0x41)));
  EXPECT_TRUE(is_h264_slice(h264_nal_type(0x02)));
  EXPECT_FALSE(is_h264_slice(h264_nal_type(0x67)));
  EXPECT_FALSE(is_h264_slice(h264_nal_type(0x00)));
}

} // namespace
} // namespace sluice::media
