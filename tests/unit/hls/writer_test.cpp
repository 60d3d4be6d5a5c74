#include "presentations.h"
#include "workers/hls/playlist/writer.h"

#include <gmock/gmock.h>

namespace sluice::hls {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string media(const Presentation &presentation, bool skip = false, std::string_view query = {}) {
  std::string out = "what was there before";
  write_media(presentation, query, skip, out);
  return out;
}

size_t count(const std::string &text, std::string_view word) {
  size_t found = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) found++;
  return found;
}

TEST(MediaPlaylist, OfMpegTs) {
  Presentation now = presentation(Variant::MpegTs, 7, 2);
  now.segments[1].duration = 1'966'666'667;
  EXPECT_EQ(media(now), "#EXTM3U\n"
                        "#EXT-X-VERSION:3\n"
                        "#EXT-X-TARGETDURATION:2\n"
                        "#EXT-X-MEDIA-SEQUENCE:7\n"
                        "#EXT-X-INDEPENDENT-SEGMENTS\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:30:13.250Z\n"
                        "#EXTINF:2.00000,\n"
                        "0123456789ab_seg7.ts\n"
                        "#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:30:15.250Z\n"
                        "#EXTINF:1.96667,\n"
                        "0123456789ab_seg8.ts\n");
}

TEST(MediaPlaylist, OfFmp4TellsEachInitialisationOnce) {
  Presentation now = presentation(Variant::Fmp4, 0, 4);
  now.segments[0].initialisation = now.segments[1].initialisation = 3;
  now.segments[2].initialisation = now.segments[3].initialisation = 4;
  now.segments[2].discontinuity = true;
  now.discontinuity_sequence = 5;
  std::string text = media(now);
  EXPECT_THAT(text, HasSubstr("#EXT-X-VERSION:6\n"));
  EXPECT_THAT(text, HasSubstr("#EXT-X-DISCONTINUITY-SEQUENCE:5\n"));
  EXPECT_THAT(text, HasSubstr("SEGMENTS\n#EXT-X-MAP:URI=\"0123456789ab_init3.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:"));
  EXPECT_THAT(text, HasSubstr("0123456789ab_seg1.mp4\n#EXT-X-DISCONTINUITY\n"
                              "#EXT-X-MAP:URI=\"0123456789ab_init4.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:"));
  EXPECT_EQ(count(text, "#EXT-X-MAP"), 2U);
  EXPECT_THAT(text, Not(HasSubstr("EXT-X-PART")));
  EXPECT_THAT(text, Not(HasSubstr("SERVER-CONTROL")));
}

TEST(MediaPlaylist, LeavesOutWhatIsNotFinishedWithoutParts) {
  Presentation now = presentation(Variant::Fmp4, 0, 2);
  std::string before = media(now);
  add_unfinished(now, 0);
  EXPECT_EQ(media(now), before);
}

TEST(MediaPlaylist, OfLowLatency) {
  Presentation now = presentation(Variant::LowLatency, 1, 1);
  add_unfinished(now, 1);
  now.part_target = 500'001'000; // of which all decimals count
  EXPECT_EQ(media(now),
            "#EXTM3U\n"
            "#EXT-X-VERSION:9\n"
            "#EXT-X-TARGETDURATION:2\n"
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.50003,HOLD-BACK=6,CAN-SKIP-UNTIL=12\n"
            "#EXT-X-PART-INF:PART-TARGET=0.50001\n"
            "#EXT-X-MEDIA-SEQUENCE:1\n"
            "#EXT-X-INDEPENDENT-SEGMENTS\n"
            "#EXT-X-MAP:URI=\"0123456789ab_init0.mp4\"\n"
            "#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:30:01.250Z\n"
            "#EXT-X-PART:DURATION=0.50000,URI=\"0123456789ab_part4.mp4\",INDEPENDENT=YES\n"
            "#EXT-X-PART:DURATION=0.50000,URI=\"0123456789ab_part5.mp4\"\n"
            "#EXT-X-PART:DURATION=0.50000,URI=\"0123456789ab_part6.mp4\"\n"
            "#EXT-X-PART:DURATION=0.50000,URI=\"0123456789ab_part7.mp4\"\n"
            "#EXTINF:2.00000,\n"
            "0123456789ab_seg1.mp4\n"
            "#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:30:03.250Z\n"
            "#EXT-X-PART:DURATION=0.50000,URI=\"0123456789ab_part8.mp4\",INDEPENDENT=YES\n"
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"0123456789ab_part9.mp4\"\n");
}

TEST(MediaPlaylist, TellsPartsOfTheLastThreeTargetDurations) {
  Presentation now = presentation(Variant::LowLatency, 0, 8);
  std::string text = media(now);
  EXPECT_EQ(count(text, "#EXT-X-PART:"), 12U); // of the three last segments: the fourth ends 6 s before the end
  EXPECT_THAT(text, HasSubstr("_seg4.mp4\n#EXT-X-PROGRAM-DATE-TIME:2024-02-29T12:30:09.250Z\n#EXT-X-PART:"));
  EXPECT_THAT(text, HasSubstr("TYPE=PART,URI=\"0123456789ab_part32.mp4\""));
}

TEST(MediaPlaylist, EndsWithoutAHint) {
  Presentation now = presentation(Variant::LowLatency, 0, 2);
  now.ended = true;
  std::string text = media(now);
  EXPECT_TRUE(text.ends_with("_seg1.mp4\n#EXT-X-ENDLIST\n"));
  EXPECT_THAT(text, Not(HasSubstr("PRELOAD-HINT")));
}

TEST(MediaPlaylist, RepeatsTheQueryBehindEachUri) {
  Presentation now = presentation(Variant::LowLatency, 0, 1);
  std::string text = media(now, false, "user=a&pass=b");
  EXPECT_EQ(count(text, ".mp4?user=a&pass=b"), count(text, ".mp4"));
  EXPECT_EQ(count(text, ".mp4"), 1U + 4 + 1 + 1);
}

TEST(DeltaUpdate, LeavesOutWhatIsBeyondTheSkipBoundary) {
  Presentation now = presentation(Variant::LowLatency, 20, 10); // 20 s; the boundary is 12 s before the end
  EXPECT_EQ(skipped_segments(now), 4U);
  std::string full = media(now), delta = media(now, true);
  EXPECT_THAT(delta, HasSubstr("#EXT-X-MEDIA-SEQUENCE:20\n"));
  EXPECT_THAT(delta, HasSubstr("#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n#EXT-X-PROGRAM-DATE"));
  // what follows is the same to the letter
  std::string_view rest = std::string_view(delta).substr(delta.find("SKIPPED-SEGMENTS=4\n") + 19);
  EXPECT_TRUE(full.ends_with(rest));
  EXPECT_EQ(count(delta, "#EXTINF"), 6U);
}

TEST(DeltaUpdate, NeverLeavesOutWhatIsNewer) {
  Presentation now = presentation(Variant::LowLatency, 0, 6); // none of its segments ends 12 s before the end
  EXPECT_EQ(media(now, true), media(now));
  now = presentation(Variant::LowLatency, 0, 7);
  EXPECT_EQ(skipped_segments(now), 1U);
  now.segments.back().duration -= 1;
  EXPECT_EQ(skipped_segments(now), 0U);
  EXPECT_EQ(media(now, true), media(now));
  // parts of the unfinished segment count
  add_unfinished(now, 1);
  EXPECT_EQ(skipped_segments(now), 1U);
  now.ended = true;
  EXPECT_EQ(media(now, true), media(now));
}

TEST(DeltaUpdate, TellsAnInitialisationThatTheSkippedOnesDoNotHave) {
  Presentation now = presentation(Variant::LowLatency, 0, 10);
  EXPECT_THAT(media(now, true), Not(HasSubstr("EXT-X-MAP")));
  for (size_t i = 4; i < 10; i++) now.segments[i].initialisation = 1;
  EXPECT_THAT(media(now, true), HasSubstr("SKIPPED-SEGMENTS=4\n#EXT-X-MAP:URI=\"0123456789ab_init1.mp4\""));
}

TEST(DeltaUpdate, IsForLowLatencyOnly) {
  Presentation now = presentation(Variant::Fmp4, 0, 20);
  EXPECT_EQ(media(now, true), media(now));
}

TEST(MultivariantPlaylist, TellsWhatIsKnown) {
  Presentation now = presentation(Variant::MpegTs, 0, 2);
  std::string text;
  write_multivariant(now, {}, text);
  EXPECT_EQ(text, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n\n"
                  "#EXT-X-STREAM-INF:BANDWIDTH=4000,AVERAGE-BANDWIDTH=4000\nstream.m3u8\n");
  now.codecs = "avc1.64001f,mp4a.40.2";
  now.width = 1920;
  now.height = 1080;
  now.frame_rate = 30000.0 / 1001;
  write_multivariant(now, "token=x", text);
  EXPECT_THAT(text, HasSubstr("BANDWIDTH=4000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1920x1080,"
                              "FRAME-RATE=29.970\nstream.m3u8?token=x\n"));
}

TEST(BitRates, AreMeasuredOverSegmentsThatAreComplete) {
  Presentation now = presentation(Variant::LowLatency, 0, 3);
  now.segments[1].bytes = 3000;
  add_unfinished(now, 3);
  now.segments.back().bytes = 1'000'000;
  BitRates rates = measure_bit_rates(now);
  EXPECT_EQ(rates.peak, 12000U);
  EXPECT_EQ(rates.average, (5000 * 8 + 5) / 6U);
}

TEST(BitRates, OfShortSegmentsAreMeasuredTogether) {
  Presentation now = presentation(Variant::MpegTs, 0, 4, kSecond / 2);
  now.segments[1].bytes = 5000; // half a second is shorter than half of the target duration
  EXPECT_EQ(measure_bit_rates(now).peak, 6000U * 8);
  now.segments.resize(1);
  EXPECT_EQ(measure_bit_rates(now).peak, 16000U); // there is no more to measure
  EXPECT_EQ(measure_bit_rates({}).peak, 0U);
}

} // namespace
} // namespace sluice::hls
