#include "common/media/aac.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

TEST(AacConfig, ReadsLowComplexity) {
  auto config = parse_aac_config(hex("1210"));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->object_type, 2);
  EXPECT_EQ(config->sample_rate, 44100u);
  EXPECT_EQ(config->channel_count, 2);
  EXPECT_EQ(config->frame_samples(), 1024u);
  EXPECT_FALSE(config->sbr);
}

TEST(AacConfig, IgnoresAnExtensionThatIsAbsent) {
  auto config = parse_aac_config(hex("120856e500")); // as FFmpeg writes it
  ASSERT_TRUE(config);
  EXPECT_EQ(config->channel_count, 1);
  EXPECT_FALSE(config->sbr);
  EXPECT_EQ(write_aac_config(*config), hex("1208"));
}

TEST(AacConfig, ReadsHighEfficiencyEitherWay) {
  // 00101 0111 0001 0100 00010 000 : SBR, 22050, mono, 44100, LC
  auto hierarchical = parse_aac_config(hex("2b8a0800"));
  ASSERT_TRUE(hierarchical) << hierarchical.error().message;
  EXPECT_EQ(hierarchical->object_type, 2);
  EXPECT_EQ(hierarchical->sample_rate, 22050u);
  EXPECT_EQ(hierarchical->extension_sample_rate, 44100u);
  EXPECT_TRUE(hierarchical->sbr);
  EXPECT_FALSE(hierarchical->ps);
  // 00010 0111 0001 000 | 01010110111 00101 1 0100 …
  auto compatible = parse_aac_config(hex("138856e5a0"));
  ASSERT_TRUE(compatible);
  EXPECT_EQ(*compatible, *hierarchical);
}

TEST(AacConfig, RefusesWhatItDoesNotSupport) {
  EXPECT_EQ(parse_aac_config(hex("0a10")).value().object_type, 1);
  EXPECT_EQ(parse_aac_config(hex("ba1000")).error().message, "unsupported type 23");
  EXPECT_FALSE(parse_aac_config(hex("1200"))); // program config element
  EXPECT_FALSE(parse_aac_config(hex("1690"))); // reserved sample rate 13
  EXPECT_FALSE(parse_aac_config(hex("12")));
  EXPECT_FALSE(parse_aac_config({}));
}

TEST(AacConfig, WritesWhatItReads) {
  for (uint32_t rate : {96000u, 44100u, 8000u, 7350u, 12345u}) {
    for (uint8_t channels : {1, 2, 6, 8}) {
      for (int kind = 0; kind < 3; kind++) {
        AacConfig config;
        config.sample_rate = rate;
        config.channel_count = channels;
        config.short_frames = channels == 2;
        config.depends_on_core_coder = channels == 6;
        config.core_coder_delay = channels == 6 ? 0x1234 : 0;
        config.sbr = kind > 0;
        config.ps = kind > 1;
        config.extension_sample_rate = kind > 0 ? 2 * rate : 0;
        ByteVector written = write_aac_config(config);
        auto read = parse_aac_config(written);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(*read, config);
        for (size_t size = 0; size + 1 < written.size(); size++)
          EXPECT_FALSE(parse_aac_config(Bytes(written).first(size)));
      }
    }
  }
}

Track aac_track(std::string fmtp) {
  return {MediaKind::Audio, Codec::Aac, 97, 44100, 2, "mpeg4-generic", std::move(fmtp)};
}

TEST(AacConfig, MakesAdtsHeaders) {
  AacConfig config{.object_type = 2, .sample_rate = 44100, .channel_count = 1};
  auto header = make_adts_header(config, 200);
  ASSERT_TRUE(header);
  EXPECT_EQ(ByteVector(header->begin(), header->end()), hex("fff1504019fffc"));
  EXPECT_TRUE(make_adts_header(config, kMaxAdtsFrame));
  EXPECT_FALSE(make_adts_header(config, kMaxAdtsFrame + 1));
  config.sample_rate = 44000;
  EXPECT_FALSE(make_adts_header(config, 200));
  config.sample_rate = 48000;
  config.short_frames = true;
  EXPECT_FALSE(make_adts_header(config, 200));
}

TEST(AacFormat, ReadsTheParametersWithoutRegardToCaseAndOrder) {
  auto format = parse_aac_format(
      aac_track("config=1210;mode=AAC-hbr; SizeLength=13;indexLength=3 ; IndexDeltaLength=3; profile-level-id=1"));
  ASSERT_TRUE(format) << format.error().message;
  EXPECT_EQ(format->size_length, 13);
  EXPECT_EQ(format->index_length, 3);
  EXPECT_EQ(format->index_delta_length, 3);
  EXPECT_TRUE(format->simple);
  EXPECT_EQ(format->config.sample_rate, 44100u);
}

TEST(AacFormat, KnowsWhenThereAreMoreFields) {
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=13; ctsdeltalength=8; config=1210"))->simple);
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=13; auxiliarydatasizelength=8; config=1210"))->simple);
  EXPECT_TRUE(parse_aac_format(aac_track("sizelength=13; ctsdeltalength=0; config=1210"))->simple);
}

TEST(AacFormat, RefusesInvalidParameters) {
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=13")));
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=33; config=1210")));
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=1x; config=1210")));
  EXPECT_FALSE(parse_aac_format(aac_track("sizelength=; config=1210")));
  EXPECT_FALSE(parse_aac_format(aac_track("config=121")));
  EXPECT_FALSE(parse_aac_format(aac_track("config=12g0")));
  EXPECT_FALSE(parse_aac_format(aac_track("config=-210")));
  Track opus = aac_track("config=1210");
  opus.codec = Codec::Opus;
  EXPECT_FALSE(parse_aac_format(opus));
}

TEST(AacFormat, WritesFmtpAsPlayersExpectIt) {
  AacFormat format = *parse_aac_format(aac_track("sizelength=13;indexlength=3;indexdeltalength=3;config=1210"));
  EXPECT_EQ(write_aac_fmtp(format),
            "profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=1210");
  format.index_length = format.index_delta_length = 0;
  EXPECT_EQ(write_aac_fmtp(format), "profile-level-id=1; mode=AAC-hbr; sizelength=13; config=1210");
}

} // namespace
} // namespace sluice::media
