#include "common/media/mpeg_audio.h"
#include "common/media/opus.h"
#include "tests/unit/media/hex.h"

#include <gtest/gtest.h>

namespace sluice::media {
namespace {

TEST(Opus, DurationFollowsFromTheFirstBytes) {
  EXPECT_EQ(opus_packet_duration(hex("00")), 10 * kMillisecond);   // SILK NB, one frame
  EXPECT_EQ(opus_packet_duration(hex("18")), 60 * kMillisecond);   // SILK NB 60 ms
  EXPECT_EQ(opus_packet_duration(hex("19")), 120 * kMillisecond);  // two of them
  EXPECT_EQ(opus_packet_duration(hex("60")), 10 * kMillisecond);   // hybrid
  EXPECT_EQ(opus_packet_duration(hex("6a")), 40 * kMillisecond);   // hybrid 20 ms, two unequal frames
  EXPECT_EQ(opus_packet_duration(hex("80")), 2500 * kMicrosecond); // CELT
  EXPECT_EQ(opus_packet_duration(hex("fc")), 20 * kMillisecond);
  EXPECT_EQ(opus_packet_duration(hex("fb 06")), 120 * kMillisecond);
}

TEST(Opus, RefusesMalformedPackets) {
  EXPECT_FALSE(opus_packet_duration({}));
  EXPECT_FALSE(opus_packet_duration(hex("fb")));
  EXPECT_FALSE(opus_packet_duration(hex("fb 00")));
  EXPECT_FALSE(opus_packet_duration(hex("fb 07")));
}

TEST(MpegAudio, ReadsLayer3) {
  auto frame = parse_mpeg_audio_header(hex("fffb9064"));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->layer, 3);
  EXPECT_EQ(frame->bit_rate, 128000u);
  EXPECT_EQ(frame->sample_rate, 44100u);
  EXPECT_EQ(frame->size, 417);
  EXPECT_EQ(frame->samples, 1152);
  EXPECT_EQ(frame->channels, 2);
  EXPECT_EQ(parse_mpeg_audio_header(hex("fffb9264"))->size, 418);
}

TEST(MpegAudio, ReadsOtherVersionsAndLayers) {
  auto layer2 = parse_mpeg_audio_header(hex("fffda4c0"));
  ASSERT_TRUE(layer2);
  EXPECT_EQ(layer2->layer, 2);
  EXPECT_EQ(layer2->bit_rate, 192000u);
  EXPECT_EQ(layer2->sample_rate, 48000u);
  EXPECT_EQ(layer2->size, 576);
  EXPECT_EQ(layer2->channels, 1);
  auto layer1 = parse_mpeg_audio_header(hex("ffffc400"));
  ASSERT_TRUE(layer1);
  EXPECT_EQ(layer1->layer, 1);
  EXPECT_EQ(layer1->bit_rate, 384000u);
  EXPECT_EQ(layer1->size, 384);
  auto version2 = parse_mpeg_audio_header(hex("fff38044"));
  ASSERT_TRUE(version2);
  EXPECT_EQ(version2->sample_rate, 22050u);
  EXPECT_EQ(version2->bit_rate, 64000u);
  EXPECT_EQ(version2->samples, 576);
  EXPECT_EQ(version2->size, 208);
}

TEST(MpegAudio, RefusesWhatIsNoHeader) {
  for (const char *text :
       {"", "fffb90", "fefb9064", "ff1b9064", "ffeb9064", "fff99064", "fffb0064", "fffbf064", "fffb9c64"})
    EXPECT_FALSE(parse_mpeg_audio_header(hex(text))) << text;
}

} // namespace
} // namespace sluice::media
