#include "presentations.h"
#include "workers/hls/playlist/attributes.h"
#include "workers/hls/playlist/parser.h"
#include "workers/hls/playlist/writer.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

SourceMedia media(std::string_view text) {
  auto playlist = parse_playlist(text);
  EXPECT_TRUE(playlist.has_value()) << (playlist ? "" : playlist.error().message);
  if (!playlist || !std::holds_alternative<SourceMedia>(*playlist)) {
    ADD_FAILURE() << "no media playlist";
    return {};
  }
  return std::get<SourceMedia>(*playlist);
}

SourceMultivariant multivariant(std::string_view text) {
  auto playlist = parse_playlist(text);
  if (!playlist || !std::holds_alternative<SourceMultivariant>(*playlist)) {
    ADD_FAILURE() << "no multivariant playlist";
    return {};
  }
  return std::get<SourceMultivariant>(*playlist);
}

std::string error(std::string_view text) {
  auto playlist = parse_playlist(text);
  return playlist ? "" : playlist.error().message;
}

TEST(MediaParser, ReadsAPlainPlaylist) {
  SourceMedia playlist = media("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:2680\n"
                               "#EXTINF:9.009,first\nhttp://h/a.ts\n#EXTINF:3,\nb.ts?x=y\n#EXT-X-ENDLIST\n");
  EXPECT_EQ(playlist.version, 3);
  EXPECT_EQ(playlist.target_duration, 10 * kSecond);
  EXPECT_TRUE(playlist.ended);
  ASSERT_EQ(playlist.segments.size(), 2U);
  EXPECT_EQ(playlist.segments[0].number, 2680U);
  EXPECT_EQ(playlist.segments[0].duration, 9'009 * kMillisecond);
  EXPECT_EQ(playlist.segments[0].uri, "http://h/a.ts");
  EXPECT_EQ(playlist.segments[1].number, 2681U);
  EXPECT_EQ(playlist.segments[1].duration, 3 * kSecond);
  EXPECT_EQ(playlist.segments[1].uri, "b.ts?x=y");
  EXPECT_FALSE(playlist.segments[0].key || playlist.segments[0].map || playlist.segments[0].range);
}

TEST(MediaParser, IsAsTolerantAsPlayers) {
  SourceMedia playlist =
      media("\xef\xbb\xbf#EXTM3U \r\n\r\n# a comment\r\n#EXT-X-ODD:17\r\n#EXTINF: 4.6 ,\r\n  a.ts \r\n"
            "#EXT-X-VERSION:x\r\n#EXT-X-PROGRAM-DATE-TIME:yesterday\r\n#EXTINF:5\r\nb.ts");
  ASSERT_EQ(playlist.segments.size(), 2U);
  EXPECT_EQ(playlist.segments[0].uri, "a.ts");
  EXPECT_EQ(playlist.segments[1].uri, "b.ts");
  EXPECT_EQ(playlist.target_duration, 5 * kSecond); // of the longest, since it is not said
  EXPECT_FALSE(playlist.ended);
  EXPECT_TRUE(media("#EXTM3U\n#EXT-X-TARGETDURATION:4\n").segments.empty());
  EXPECT_EQ(media("#EXTM3U\r#EXTINF:1,\ra.ts\r").segments.size(), 1U);
}

TEST(MediaParser, ReadsByteRanges) {
  SourceMedia playlist = media("#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"700@0\"\n"
                               "#EXTINF:1,\n#EXT-X-BYTERANGE:100@700\na.mp4\n#EXT-X-BYTERANGE:50\n#EXTINF:1,\na.mp4\n"
                               "#EXTINF:1,\n#EXT-X-BYTERANGE:10@20\nb.mp4\n#EXTINF:1,\nc.mp4\n");
  ASSERT_EQ(playlist.segments.size(), 4U);
  EXPECT_EQ(playlist.maps.at(playlist.segments[0].map.value()).range, (ByteRange{0, 700}));
  EXPECT_EQ(playlist.segments[0].range, (ByteRange{700, 100}));
  EXPECT_EQ(playlist.segments[1].range, (ByteRange{800, 50}));
  EXPECT_EQ(playlist.segments[2].range, (ByteRange{20, 10}));
  EXPECT_FALSE(playlist.segments[3].range);
  for (const char *range : {"10", "0@5", "x", "1@", "1@-1", "18446744073709551615@1"})
    EXPECT_NE(error("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:" + std::string(range) + "\na.ts\n"), "") << range;
  EXPECT_NE(error("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:9@0\na.ts\n#EXTINF:1,\n#EXT-X-BYTERANGE:9\nb.ts\n"), "");
}

TEST(MediaParser, ReadsKeys) {
  SourceMedia playlist =
      media("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:258\n#EXTINF:1,\nplain.ts\n"
            "#EXT-X-KEY:METHOD=AES-128,URI=\"https://h/k?a=1,2\",IV=0x0f\n#EXTINF:1,\na.ts\n"
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple\"\n#EXTINF:1,\nb.ts\n"
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n#EXTINF:1,\nc.ts\n#EXT-X-KEY:METHOD=NONE\n"
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple\"\n#EXTINF:1,\nd.ts\n"
            "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\ne.ts\n");
  ASSERT_EQ(playlist.segments.size(), 6U);
  EXPECT_FALSE(playlist.segments[0].key);
  const SourceKey &first = playlist.keys.at(playlist.segments[1].key.value());
  EXPECT_TRUE(first.supported);
  EXPECT_EQ(first.uri, "https://h/k?a=1,2");
  EXPECT_EQ(initialisation_vector(first, 1), (InitialisationVector{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15}));
  // another format of it changes nothing
  EXPECT_EQ(playlist.segments[2].key, playlist.segments[1].key);
  const SourceKey &second = playlist.keys.at(playlist.segments[3].key.value());
  EXPECT_EQ(initialisation_vector(second, playlist.segments[3].number),
            (InitialisationVector{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5}));
  EXPECT_FALSE(playlist.keys.at(playlist.segments[4].key.value()).supported);
  EXPECT_FALSE(playlist.segments[5].key);
  for (const char *key : {"", "URI=\"k\"", "METHOD=AES-128,URI=\"k\",IV=17", "METHOD=AES-128,URI=\"k\",IV=0xg",
                          "METHOD=AES-128,URI=\"k\",IV=0x000102030405060708090a0b0c0d0e0f0"})
    EXPECT_NE(error("#EXTM3U\n#EXT-X-KEY:" + std::string(key) + "\n#EXTINF:1,\na.ts\n"), "") << key;
}

TEST(MediaParser, KeepsTheKeyOfAnInitialisationSection) {
  SourceMedia playlist =
      media("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXTINF:1,\na\n"
            "#EXT-X-MAP:URI=\"i\"\n#EXTINF:1,\nb\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:1,\nc\n");
  ASSERT_EQ(playlist.maps.size(), 2U);
  EXPECT_FALSE(playlist.maps[0].key);
  EXPECT_TRUE(playlist.maps[1].key);
  EXPECT_EQ(playlist.segments[0].map, 0U);
  EXPECT_EQ(playlist.segments[1].map, 1U);
  EXPECT_EQ(playlist.segments[2].map, 1U);
}

TEST(MediaParser, CountsDiscontinuities) {
  SourceMedia playlist =
      media("#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:2,\na\n"
            "#EXTINF:3,\nb\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nc\n#EXT-X-DISCONTINUITY\n#EXT-X-GAP\n#EXTINF:2,\nd\n");
  ASSERT_EQ(playlist.segments.size(), 4U);
  EXPECT_EQ(playlist.segments[0].discontinuity_sequence, 7U);
  EXPECT_EQ(playlist.segments[1].discontinuity_sequence, 7U);
  EXPECT_EQ(playlist.segments[2].discontinuity_sequence, 8U);
  EXPECT_EQ(playlist.segments[3].discontinuity_sequence, 9U);
  EXPECT_EQ(playlist.segments[0].start_wall, 10 * kSecond);
  EXPECT_EQ(playlist.segments[1].start_wall, 12 * kSecond);
  EXPECT_FALSE(playlist.segments[2].start_wall); // nothing is known behind a discontinuity
  EXPECT_FALSE(playlist.segments[2].gap);
  EXPECT_TRUE(playlist.segments[3].gap);
}

TEST(MediaParser, ReadsParts) {
  SourceMedia playlist =
      media("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.02\n"
            "#EXT-X-PART-INF:PART-TARGET=0.33334\n#EXT-X-MEDIA-SEQUENCE:266\n"
            "#EXT-X-PART:DURATION=0.33334,URI=\"a\",INDEPENDENT=YES,BYTERANGE=\"10@0\"\n"
            "#EXT-X-PART:DURATION=0.3,URI=\"a\",BYTERANGE=\"20\"\n#EXTINF:4.00008,\nfull\n"
            "#EXT-X-PART:DURATION=0.25,URI=\"b\",GAP=YES\n"
            "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"no\"\n"
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"c\",BYTERANGE-START=30\n#EXT-X-RENDITION-REPORT:URI=\"../x\"\n");
  EXPECT_TRUE(playlist.can_block_reload);
  EXPECT_EQ(playlist.part_hold_back, 1'020 * kMillisecond);
  EXPECT_FALSE(playlist.hold_back);
  EXPECT_EQ(playlist.part_target, 333'340 * kMicrosecond);
  ASSERT_EQ(playlist.segments.size(), 2U);
  ASSERT_EQ(playlist.segments[0].parts.size(), 2U);
  EXPECT_TRUE(playlist.segments[0].parts[0].independent);
  EXPECT_FALSE(playlist.segments[0].parts[1].independent);
  EXPECT_EQ(playlist.segments[0].parts[1].range, (ByteRange{10, 20}));
  EXPECT_EQ(playlist.segments[1].number, 267U);
  EXPECT_EQ(playlist.segments[1].uri, "");
  EXPECT_EQ(playlist.segments[1].duration, 250 * kMillisecond);
  EXPECT_TRUE(playlist.segments[1].parts.at(0).gap);
  ASSERT_TRUE(playlist.hint.has_value());
  EXPECT_EQ(playlist.hint->uri, "c");
  EXPECT_EQ(playlist.hint->offset, 30U);
  EXPECT_FALSE(playlist.hint->length);
}

TEST(MediaParser, ReadsWhatTheWriterWrites) {
  Presentation now = presentation(Variant::LowLatency, 5, 3);
  now.segments[1].initialisation = 1;
  now.segments[2].initialisation = 1;
  now.segments[1].discontinuity = true;
  now.discontinuity_sequence = 2;
  add_unfinished(now, 2);
  std::string text;
  write_media(now, "user=x", false, text);
  SourceMedia playlist = media(text);
  ASSERT_EQ(playlist.segments.size(), 4U);
  for (size_t i = 0; i < 4; i++) {
    EXPECT_EQ(playlist.segments[i].number, now.segments[i].number);
    EXPECT_EQ(playlist.segments[i].duration, now.segments[i].duration);
    EXPECT_EQ(playlist.segments[i].start_wall, now.segments[i].start_wall);
    EXPECT_EQ(playlist.segments[i].parts.size(), now.segments[i].parts.size());
    EXPECT_EQ(playlist.segments[i].discontinuity_sequence, i < 1 ? 2U : 3U);
  }
  EXPECT_EQ(playlist.maps.size(), 2U);
  EXPECT_EQ(playlist.hint->uri, "0123456789ab_part34.mp4?user=x");
}

TEST(MediaParser, RefusesWhatItCannotUse) {
  for (const char *text :
       {"", "\n#EXTM3U\n", "<html>", "#EXTM3U\na.ts\n", "#EXTM3U\n#EXTINF:x,\na.ts\n", "#EXTM3U\n#EXTINF:-1,\na.ts\n",
        "#EXTM3U\n#EXTINF:1e3,\na.ts\n", "#EXTM3U\n#EXTINF:99999999999999999999,\na.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:\n", "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:1,\na\n",
        "#EXTM3U\n#EXTINF:1,\na\n#EXT-X-MEDIA-SEQUENCE:3\n", "#EXTM3U\n#EXT-X-MAP:URI=\"\"\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n", "#EXTM3U\n#EXT-X-PART:URI=\"a\"\n",
        "#EXTM3U\n#EXTINF:1,\na\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb\n"})
    EXPECT_NE(error(text), "") << text;
}

TEST(MediaParser, IsBounded) {
  std::string text = "#EXTM3U\n";
  for (size_t i = 0; i < kMaxSourceSegments; i++) text += "#EXTINF:1,\na\n";
  EXPECT_EQ(media(text).segments.size(), kMaxSourceSegments);
  EXPECT_EQ(error(text + "#EXTINF:1,\na\n"), "playlist with too many segments");
  EXPECT_EQ(error("#EXTM3U\n" + std::string(kMaxPlaylist, '\n')), "playlist too large");
  EXPECT_EQ(error("#EXTM3U\n#EXTINF:1,\n" + std::string(kMaxLine + 1, 'a') + "\n"),
            "playlist with a line that is too long");
  text = "#EXTM3U\n";
  for (size_t i = 0; i <= kMaxSourceKeys; i++) text += "#EXT-X-KEY:METHOD=AES-128,URI=\"" + std::to_string(i) + "\"\n";
  EXPECT_EQ(error(text), "playlist with too many keys");
}

TEST(MultivariantParser, ReadsVariantsAndAudio) {
  SourceMultivariant playlist = multivariant(
      "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"English, US\",DEFAULT=YES,URI=\"en.m3u8\"\n"
      "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",URI=\"s.m3u8\"\n"
      "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=5,BANDWIDTH=1280000, CODECS=\"avc1.64001f, mp4a.40.2\",AUDIO=\"aac\"\n"
      "# a comment between\nlow/video.m3u8\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI=\"i.m3u8\"\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=2560000\nmid.m3u8\nnot announced\n");
  ASSERT_EQ(playlist.variants.size(), 2U);
  EXPECT_EQ(playlist.variants[0].uri, "low/video.m3u8");
  EXPECT_EQ(playlist.variants[0].bandwidth, 1'280'000U);
  EXPECT_EQ(playlist.variants[0].codecs, (std::vector<std::string>{"avc1.64001f", "mp4a.40.2"}));
  EXPECT_EQ(playlist.variants[0].audio_group, "aac");
  EXPECT_EQ(playlist.variants[1].uri, "mid.m3u8");
  EXPECT_TRUE(playlist.variants[1].codecs.empty());
  ASSERT_EQ(playlist.audio.size(), 1U);
  EXPECT_EQ(playlist.audio[0].name, "English, US");
  EXPECT_EQ(playlist.audio[0].uri, "en.m3u8");
  EXPECT_TRUE(playlist.audio[0].is_default);
  EXPECT_EQ(error("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"), "playlist without variants");
}

TEST(Attributes, AreReadUntilTheyMakeNoSense) {
  Attributes attributes("A=1,B=\"x,y=z\" , C = 0x1F ,D=\"\",A=2,E=\"open");
  EXPECT_EQ(attributes.find("A"), "1");
  EXPECT_EQ(attributes.find("B"), "x,y=z");
  EXPECT_EQ(attributes.find("C"), "0x1F");
  EXPECT_EQ(attributes.find("D"), "");
  EXPECT_FALSE(attributes.find("E"));
  EXPECT_FALSE(Attributes("").find(""));
}

TEST(Durations, AreDecimalNumbers) {
  EXPECT_EQ(parse_duration("9.009"), 9'009'000'000);
  EXPECT_EQ(parse_duration("0.0000000019"), 1);
  EXPECT_EQ(parse_duration("4."), 4 * kSecond);
  EXPECT_EQ(parse_duration(".5"), kSecond / 2);
  EXPECT_EQ(parse_duration("86400"), kMaxDuration);
  for (const char *text : {"", ".", "-1", "+1", "1,5", "1.5s", "1.2.3", "nan", "86401", "86400.1"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(DateTimes, AreIso8601) {
  EXPECT_EQ(parse_date_time("2010-02-19T14:54:23.031+08:00"), 1'266'562'463'031 * kMillisecond);
  EXPECT_EQ(parse_date_time("2024-02-29T12:29:59.250Z"), kStartWall);
  EXPECT_EQ(parse_date_time("2024-02-29T12:29:59.25"), kStartWall);
  EXPECT_EQ(parse_date_time("2024-02-29T09:59:59.250-0230"), kStartWall);
  EXPECT_EQ(parse_date_time("1970-01-01T00:00:00Z"), 0);
  for (const char *text : {"", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-00T00:00:00Z",
                           "2024-01-01T24:00:00Z", "2024-01-01", "2024-01-01T00:00:00X", "2024-01-01T00:00:00+1",
                           "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "20240101T000000Z"})
    EXPECT_FALSE(parse_date_time(text)) << text;
}

} // namespace
} // namespace sluice::hls
