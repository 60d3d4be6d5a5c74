#include "common/base/base64.h"
#include "common/media/nal_unit.h"
#include "common/media/parameters.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

Track video_track(Codec codec, std::string fmtp) {
  return {MediaKind::Video, codec, 96, 90000, 0, codec == Codec::H264 ? "H264" : "H265", std::move(fmtp)};
}

TEST(Fmtp, ValuesAreFoundByName) {
  std::string_view fmtp = "a=1; Bc = x=y ;flag; d=";
  EXPECT_EQ(fmtp_value(fmtp, "A"), "1");
  EXPECT_EQ(fmtp_value(fmtp, "bc"), "x=y");
  EXPECT_EQ(fmtp_value(fmtp, "flag"), "");
  EXPECT_EQ(fmtp_value(fmtp, "d"), "");
  EXPECT_FALSE(fmtp_value(fmtp, "c"));
  EXPECT_FALSE(fmtp_value("", "a"));
}

TEST(ParameterSets, OfH264AreReadAndWritten) {
  std::string fmtp =
      "packetization-mode=1; sprop-parameter-sets=Z2QACqzZRCbARAAAAwAEAAADAMg8SJZY,aOvjyyLA; profile-level-id=64000A";
  auto sets = parse_parameter_sets(video_track(Codec::H264, fmtp));
  ASSERT_TRUE(sets) << sets.error().message;
  EXPECT_EQ(sets->sps, hex("6764000aacd94426c044000003000400000300c83c489658"));
  EXPECT_EQ(sets->pps, hex("68ebe3cb22c0"));
  EXPECT_TRUE(sets->vps.empty());
  EXPECT_EQ(write_h264_fmtp(*sets), fmtp);
}

TEST(ParameterSets, OfH264MayStandInAnyOrderAndAmongOthers) {
  auto sets = parse_parameter_sets(video_track(Codec::H264, "sprop-parameter-sets=Bg==, aOvjyyLA ,Z2QACg==,aAA=,"));
  ASSERT_TRUE(sets) << sets.error().message;
  EXPECT_EQ(sets->sps, hex("6764000a"));
  EXPECT_EQ(sets->pps, hex("68ebe3cb22c0"));
}

TEST(ParameterSets, OfH265AreReadAndWritten) {
  ParameterSets sets{hex("40010c01ffff"), hex("4201010160"), hex("4401c172b46240")};
  std::string fmtp = write_h265_fmtp(sets);
  EXPECT_EQ(fmtp, "sprop-vps=QAEMAf//; sprop-sps=QgEBAWA=; sprop-pps=RAHBcrRiQA==");
  auto read = parse_parameter_sets(video_track(Codec::H265, fmtp));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, sets);
}

TEST(ParameterSets, MissingOnesAreLeftOut) {
  EXPECT_EQ(write_h264_fmtp({}), "packetization-mode=1");
  EXPECT_EQ(write_h265_fmtp({}), "");
  EXPECT_EQ(*parse_parameter_sets(video_track(Codec::H264, "packetization-mode=1")), ParameterSets());
  EXPECT_EQ(*parse_parameter_sets(video_track(Codec::H264, "sprop-parameter-sets=")), ParameterSets());
  EXPECT_EQ(*parse_parameter_sets(video_track(Codec::Vp8, "sprop-parameter-sets=Z2QACg==")), ParameterSets());
}

TEST(ParameterSets, InvalidOnesAreErrors) {
  EXPECT_FALSE(parse_parameter_sets(video_track(Codec::H264, "sprop-parameter-sets=Z2QACg")));
  EXPECT_FALSE(parse_parameter_sets(video_track(Codec::H265, "sprop-sps=***")));
  std::string large = base64_encode(ByteVector(kMaxParameterSet + 1, 0x67));
  EXPECT_FALSE(parse_parameter_sets(video_track(Codec::H264, "sprop-parameter-sets=" + large)));
}

} // namespace
} // namespace sluice::media
