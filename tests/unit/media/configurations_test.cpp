// Decoder configurations. The samples were made with FFmpeg.

#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/flac.h"
#include "common/media/hevc_configuration.h"
#include "common/media/opus.h"
#include "common/media/vp9.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

constexpr const char *kAvcMain = "014d400dffe1001a674d400de982a10f111180880000030008000003019078a149c001000468ce0fc8";
constexpr const char *kAvcHigh422 =
    "017a000dffe1001b677a000db6cb40a843c447e022000003000200000300641e28554001000468ce0fc8fefafa00";
constexpr const char *kHevc =
    "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959409a10001002b"
    "42010101600000030090000003000003003ca00a8804071111965654a4c2f0168080000003008000000c84a2000100064401c073c189";
constexpr const char *kAv1 = "81000c000a0b000000043d07c402f80040";
constexpr const char *kAv1Deep = "812040000a0a200000043d07c4daf942"; // 4:4:4, 10 bits
constexpr const char *kFlac = "664c614300000022120012000004490004de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51";

// Whatever is cut off is an error, never something else.
template <class Parse> void expect_errors_when_cut(const ByteVector &whole, size_t needed, Parse parse) {
  for (size_t size = 0; size < needed; size++) EXPECT_FALSE(parse(Bytes(whole).first(size))) << size;
  EXPECT_TRUE(parse(whole));
}

TEST(AvcConfiguration, IsReadAndWrittenAsFfmpegDoes) {
  for (const char *sample : {kAvcMain, kAvcHigh422}) {
    auto avc = parse_avc_configuration(hex(sample));
    ASSERT_TRUE(avc) << avc.error().message;
    EXPECT_EQ(avc->length_size, 4);
    EXPECT_EQ(avc->sets.pps, hex("68ce0fc8"));
    EXPECT_TRUE(avc->further_sets.empty());
    auto written = write_avc_configuration(avc->sets);
    ASSERT_TRUE(written);
    EXPECT_EQ(*written, hex(sample));
  }
  expect_errors_when_cut(hex(kAvcMain), hex(kAvcMain).size(), parse_avc_configuration);
}

TEST(AvcConfiguration, KeepsFurtherSetsAndAnyLengthSize) {
  auto avc = parse_avc_configuration(hex("01640000fd"
                                         "e2"
                                         "00046764000a"
                                         "00046764000b"
                                         "02"
                                         "000268ce"
                                         "000268ee"));
  ASSERT_TRUE(avc);
  EXPECT_EQ(avc->length_size, 2);
  EXPECT_EQ(avc->sets.sps, hex("6764000a"));
  EXPECT_EQ(avc->further_sets, (std::vector<ByteVector>{hex("6764000b"), hex("68ee")}));
}

TEST(AvcConfiguration, RefusesWhatIsNone) {
  EXPECT_FALSE(parse_avc_configuration(hex("00640000ffe100046764000a01000268ce"))); // version
  EXPECT_FALSE(parse_avc_configuration(hex("01640000ffe100046864000a01000268ce"))); // a PPS among the SPSs
  EXPECT_FALSE(parse_avc_configuration(hex("01640000ffe001000268ce")));             // no SPS
  EXPECT_FALSE(write_avc_configuration({}));
  EXPECT_FALSE(write_avc_configuration({.vps = {}, .sps = hex("67640000"), .pps = hex("68ce")}));
}

TEST(HevcConfiguration, IsReadAndWritten) {
  auto hevc = parse_hevc_configuration(hex(kHevc));
  ASSERT_TRUE(hevc) << hevc.error().message;
  EXPECT_EQ(hevc->length_size, 4);
  EXPECT_EQ(hevc->sets.vps[0], 0x40);
  EXPECT_EQ(hevc->sets.sps[0], 0x42);
  EXPECT_EQ(hevc->sets.pps[0], 0x44);
  auto written = write_hevc_configuration(hevc->sets);
  ASSERT_TRUE(written);
  auto again = parse_hevc_configuration(*written);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *hevc);
  // All but what is optional (segmentation, parallelism, frame rate, completeness) is as FFmpeg has it.
  ByteVector sample = hex(kHevc);
  EXPECT_EQ(ByteVector(written->begin(), written->begin() + 13), ByteVector(sample.begin(), sample.begin() + 13));
  EXPECT_EQ(ByteVector(written->begin() + 16, written->begin() + 19),
            ByteVector(sample.begin() + 16, sample.begin() + 19));
  expect_errors_when_cut(sample, sample.size(), parse_hevc_configuration);
  EXPECT_FALSE(write_hevc_configuration({}));
}

TEST(Av1Configuration, IsReadAndWrittenAsFfmpegDoes) {
  for (const char *sample : {kAv1, kAv1Deep}) {
    auto header = parse_av1_configuration(hex(sample));
    ASSERT_TRUE(header) << header.error().message;
    auto written = write_av1_configuration(*header);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(*written, hex(sample));
    auto sequence = parse_av1_sequence_header(*header);
    ASSERT_TRUE(sequence);
    EXPECT_EQ(sequence->width, 322u);
    EXPECT_EQ(sequence->height, 242u);
  }
  auto deep = parse_av1_sequence_header(parse_av1_configuration(hex(kAv1Deep)).value());
  EXPECT_EQ(deep->profile, 1);
  EXPECT_EQ(deep->bit_depth, 10);
  EXPECT_FALSE(deep->subsampling_x);
  EXPECT_TRUE(parse_av1_configuration(hex("81000c00")).value().empty());
  for (size_t size = 5; size < hex(kAv1).size(); size++)
    EXPECT_FALSE(parse_av1_configuration(Bytes(hex(kAv1)).first(size)));
  EXPECT_FALSE(parse_av1_configuration(hex("80000c00")));
}

TEST(Obu, SizesAreOfAnyLength) {
  auto obu = parse_obu(hex("12 00"));
  ASSERT_TRUE(obu);
  EXPECT_EQ(obu->type, ObuType::TemporalDelimiter);
  EXPECT_EQ(obu->size, 2u);
  EXPECT_EQ(parse_obu(hex("3601 8100 aa"))->payload.size(), 1u); // extension; a size in two bytes
  EXPECT_EQ(parse_obu(hex("30 aabb"))->payload.size(), 2u);
  EXPECT_FALSE(parse_obu(hex("32 03 aa")));
  EXPECT_FALSE(parse_obu(hex("90")));
  EXPECT_FALSE(parse_obu({}));
  std::array<uint8_t, kMaxLeb128> out{};
  for (uint32_t value : {0u, 127u, 128u, 16384u, UINT32_MAX}) {
    size_t size = write_leb128(value, out.data());
    ByteReader reader(Bytes(out).first(size));
    EXPECT_EQ(read_leb128(reader).value(), value);
  }
  ByteReader too_large(Bytes{});
  EXPECT_FALSE(read_leb128(too_large));
}

TEST(Vp9Configuration, IsReadWithAndWithoutVersion) {
  ByteVector sample = hex("010000000014820202020000");
  auto vp9 = parse_vp9_configuration(sample);
  ASSERT_TRUE(vp9);
  EXPECT_EQ(*vp9, (Vp9Configuration{.profile = 0, .level = 20, .bit_depth = 8, .chroma_subsampling = 1}));
  EXPECT_EQ(parse_vp9_configuration(Bytes(sample).subspan(4)).value(), *vp9);
  EXPECT_EQ(write_vp9_configuration(*vp9), sample);
  EXPECT_FALSE(parse_vp9_configuration(Bytes(sample).first(7)));
  EXPECT_FALSE(parse_vp9_configuration(hex("0414820202020000")));
}

// The first one is of libvpx; the last one has 4:4:4 with 10 bits.
TEST(Vp9KeyFrame, SaysWhatADecoderHasToKnow) {
  auto key = parse_vp9_key_frame(hex("824983420013f00b34"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->configuration, (Vp9Configuration{.profile = 0, .bit_depth = 8, .chroma_subsampling = 1}));
  EXPECT_EQ(key->width, 320u);
  EXPECT_EQ(key->height, 180u);
  EXPECT_FALSE(parse_vp9_key_frame(hex("8600409292"))); // another frame
  EXPECT_FALSE(parse_vp9_key_frame(hex("824983430013f00b34")));
  EXPECT_FALSE(parse_vp9_key_frame(hex("824983420013f0")));
  EXPECT_FALSE(parse_vp9_key_frame({}));
  auto deep = parse_vp9_key_frame(hex("b124c1a108009f805980"));
  ASSERT_TRUE(deep);
  EXPECT_EQ(deep->configuration, (Vp9Configuration{.profile = 3, .bit_depth = 10, .chroma_subsampling = 3}));
  EXPECT_EQ(deep->width, 320u);
}

TEST(Vp9Level, FollowsFromSizeAndRate) {
  EXPECT_EQ(vp9_level(256, 144, 15), 10);
  EXPECT_EQ(vp9_level(1280, 720, 30), 31);
  EXPECT_EQ(vp9_level(1920, 1080, 30), 40);
  EXPECT_EQ(vp9_level(1920, 1080, 60), 41);
  EXPECT_EQ(vp9_level(3840, 2160, 60), 51);
  EXPECT_EQ(vp9_level(16384, 8704, 120), 62);
}

TEST(OpusHeader, IsReadAndWritten) {
  ByteVector sample = hex("4f707573486561640101380180bb0000000000");
  auto header = parse_opus_header(sample);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, (OpusHeader{.channels = 1, .pre_skip = 312, .input_rate = 48000}));
  EXPECT_EQ(write_opus_header(*header), sample);
  expect_errors_when_cut(sample, sample.size(), parse_opus_header);
  EXPECT_FALSE(parse_opus_header(hex("4f707573486561640103380180bb0000000000"))); // three channels in one stream
}

TEST(FlacStreamInfo, IsReadWithAndWithoutMagic) {
  auto info = parse_flac_stream_info(hex(kFlac));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->sample_rate, 44100u);
  EXPECT_EQ(info->channels, 1);
  EXPECT_EQ(info->bits_per_sample, 16);
  EXPECT_EQ(info->max_block_samples, 4608);
  EXPECT_EQ(parse_flac_stream_info(Bytes(hex(kFlac)).subspan(8)).value(), *info);
  EXPECT_EQ(parse_flac_stream_info(write_flac_header(*info)).value(), *info);
  expect_errors_when_cut(hex(kFlac), hex(kFlac).size(), parse_flac_stream_info);
  EXPECT_FALSE(parse_flac_stream_info(hex("664c614301000022")));
  Track track;
  track.fmtp = std::string("streaminfo=") + (kFlac + 16);
  EXPECT_EQ(parse_flac_format(track).value(), *info);
  track.fmtp.pop_back();
  EXPECT_FALSE(parse_flac_format(track));
  track.fmtp = "streaminfo=xy";
  EXPECT_FALSE(parse_flac_format(track));
}

TEST(Ac3Header, SaysHowLongAFrameIs) {
  auto frame = parse_ac3_header(hex("0b77fe95144043e1"));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->sample_rate, 48000u);
  EXPECT_EQ(frame->size, 768);
  EXPECT_EQ(frame->channels, 2);
  EXPECT_EQ(frame->bit_rate_code, 10);
  EXPECT_EQ(frame->bsid, 8);
  EXPECT_EQ(frame->acmod, 2);
  EXPECT_FALSE(frame->low_frequencies);
  auto surround = parse_ac3_header(hex("0b770dce5e40ebf8"));
  ASSERT_TRUE(surround);
  EXPECT_EQ(surround->sample_rate, 44100u);
  EXPECT_EQ(surround->size, 1950);
  EXPECT_EQ(surround->channels, 6);
  EXPECT_EQ(surround->rate_code, 1);
  EXPECT_EQ(surround->acmod, 7);
  EXPECT_TRUE(surround->low_frequencies);
  EXPECT_FALSE(parse_ac3_header(hex("0b770dce5e")));
  EXPECT_FALSE(parse_ac3_header(hex("0b780dce5e40ebf8")));
  EXPECT_FALSE(parse_ac3_header(hex("0b77fe95148043e1"))); // E-AC-3
}

} // namespace
} // namespace sluice::media
