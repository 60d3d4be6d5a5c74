#include "tests/unit/media/hex.h"
#include "workers/rtmp/protocol/tracks.h"

#include <gtest/gtest.h>

namespace sluice::rtmp {
namespace {

using media::Codec;
using media::MediaKind;

constexpr const char *kAvc = "014d400dffe1001a674d400de982a10f111180880000030008000003019078a149c001000468ce0fc8";
constexpr const char *kSps = "674d400de982a10f111180880000030008000003019078a149c0";
constexpr const char *kPps = "68ce0fc8";

MediaTag tag(Codec codec, MediaKind media, const ByteVector &body, TagKind kind = TagKind::Configuration) {
  MediaTag result;
  result.codec = codec;
  result.media = media;
  result.kind = kind;
  result.body = body;
  return result;
}

// What a configuration says goes into the track and comes out of it again.
TEST(Tracks, ConfigurationsSurviveTheTrack) {
  struct Sample {
    Codec codec;
    MediaKind media;
    const char *body;
    const char *encoding;
    uint32_t clock_rate;
    uint8_t payload_type;
  };
  for (const Sample &sample : {
           Sample{Codec::H264, MediaKind::Video, kAvc, "H264", 90000, 96},
           {Codec::Vp9, MediaKind::Video, "010000000200a20202020000", "VP9", 90000, 96},
           {Codec::Aac, MediaKind::Audio, "1190", "mpeg4-generic", 48000, 97},
           {Codec::Aac, MediaKind::Audio, "2b11880", "mpeg4-generic", 24000, 97}, // HE-AAC
           {Codec::Opus, MediaKind::Audio, "4f7075734865616401020000 80bb0000000000", "opus", 48000, 97},
           {Codec::Flac, MediaKind::Audio,
            "664c614380000022120012000004490004de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51", "FLAC", 44100, 97},
       }) {
    ByteVector body = hex(std::string(sample.body).size() % 2 ? std::string(sample.body) + "0" : sample.body);
    auto facts = describe_track(tag(sample.codec, sample.media, body));
    ASSERT_TRUE(facts) << sample.encoding << ": " << facts.error().message;
    EXPECT_EQ(facts->track.kind, sample.media);
    EXPECT_EQ(facts->track.codec, sample.codec);
    EXPECT_EQ(facts->track.encoding, sample.encoding);
    EXPECT_EQ(facts->track.clock_rate, sample.clock_rate);
    EXPECT_EQ(facts->track.payload_type, sample.payload_type);
    auto sets = media::parse_parameter_sets(facts->track);
    ASSERT_TRUE(sets);
    auto again = make_configuration(facts->track, *sets);
    ASSERT_TRUE(again) << again.error().message;
    if (sample.codec == Codec::Aac)
      EXPECT_EQ(Bytes(*again).first(2)[0], body[0]);
    else
      EXPECT_EQ(*again, body) << sample.encoding;
  }
}

TEST(Tracks, H264HasItsSetsInFmtpAndForThePacketizer) {
  auto facts = describe_track(tag(Codec::H264, MediaKind::Video, hex(kAvc)));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->length_size, 4);
  EXPECT_EQ(facts->configuration, (std::vector<ByteVector>{hex(kSps), hex(kPps)}));
  EXPECT_EQ(facts->track.fmtp,
            "packetization-mode=1; sprop-parameter-sets=Z01ADemCoQ8REYCIAAADAAgAAAMBkHihScA=,aM4PyA==; "
            "profile-level-id=4D400D");
}

TEST(Tracks, Av1TakesItsSequenceHeaderFromEither) {
  ByteVector record = hex("81000c000a0b000000043d07c402f80040");
  auto facts = describe_track(tag(Codec::Av1, MediaKind::Video, record));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->track.fmtp, "profile=0; level-idx=0; tier=0");
  ASSERT_EQ(facts->configuration.size(), 1u);
  media::ParameterSets sets;
  sets.sps = facts->configuration[0];
  EXPECT_EQ(make_configuration(facts->track, sets).value(), record);
  ByteVector frame = hex("0a0b000000043d07c402f80040 3202aabb");
  auto of_frame = describe_track(tag(Codec::Av1, MediaKind::Video, frame, TagKind::Frame));
  ASSERT_TRUE(of_frame);
  EXPECT_EQ(of_frame->configuration, facts->configuration);
}

TEST(Tracks, SomeAreKnownByTheirFirstFrame) {
  auto mp3 = describe_track(tag(Codec::MpegAudio, MediaKind::Audio, hex("fffb90640000"), TagKind::Frame));
  ASSERT_TRUE(mp3);
  EXPECT_EQ(mp3->track.payload_type, 14);
  EXPECT_EQ(mp3->track.clock_rate, 90000u);
  auto ac3 = describe_track(tag(Codec::Ac3, MediaKind::Audio, hex("0b77fe95144043e1"), TagKind::Frame));
  ASSERT_TRUE(ac3);
  EXPECT_EQ(ac3->track.encoding, "ac3");
  EXPECT_EQ(ac3->track.clock_rate, 48000u);
  auto pcmu = describe_track(tag(Codec::Pcmu, MediaKind::Audio, hex("ff"), TagKind::Frame));
  ASSERT_TRUE(pcmu);
  EXPECT_EQ(pcmu->track.payload_type, 0);
  EXPECT_FALSE(describe_track(tag(Codec::H264, MediaKind::Video, hex("00"), TagKind::Frame)));
  EXPECT_FALSE(describe_track(tag(Codec::MpegAudio, MediaKind::Audio, hex("00"), TagKind::Frame)));
  MediaTag speex = tag(Codec::Other, MediaKind::Audio, hex("00"), TagKind::Frame);
  speex.codec_id = 11;
  EXPECT_EQ(describe_track(speex).error().message, "unsupported audio codec 11");
}

TEST(Tracks, UnitsAreSplitAndPutTogetherAgain) {
  std::vector<Bytes> units;
  ByteVector body = hex("00000002 65aa 00000000 00000003 41bbcc");
  ASSERT_TRUE(split_units(Codec::H264, 4, body, units));
  ASSERT_EQ(units.size(), 2u); // without the empty one
  EXPECT_EQ(units[1].size(), 3u);
  ByteVector out;
  append_units(Codec::H264, units, {}, out);
  EXPECT_EQ(out, hex("00000002 65aa 00000003 41bbcc"));
  ASSERT_TRUE(split_units(Codec::H265, 1, hex("02 4001 01 02"), units));
  EXPECT_EQ(units.size(), 2u);
  for (size_t size : {1, 3, 5, 9}) EXPECT_FALSE(split_units(Codec::H264, 4, Bytes(body).first(size), units)) << size;
  ByteVector tiny;
  for (int i = 0; i < 5000; i++) tiny.insert(tiny.end(), {1, 0x41});
  EXPECT_FALSE(split_units(Codec::H264, 1, tiny, units));

  ByteVector obus = hex("1200 0a0b000000043d07c402f80040 3202aabb");
  ASSERT_TRUE(split_units(Codec::Av1, 0, obus, units));
  EXPECT_EQ(units.size(), 3u);
  out.clear();
  append_units(Codec::Av1, units, {}, out);
  EXPECT_EQ(out, obus);
}

TEST(Tracks, SetsThatTheReaderHasAreLeftOut) {
  media::ParameterSets sets;
  sets.sps = hex(kSps);
  sets.pps = hex(kPps);
  ByteVector other = hex("68ce0fc9"), slice = hex("65aa");
  std::vector<Bytes> units = {sets.sps, sets.pps, other, slice};
  ByteVector out;
  append_units(Codec::H264, units, sets, out);
  EXPECT_EQ(out, hex("00000004 68ce0fc9 00000002 65aa"));
}

TEST(Tracks, KeyFramesAreFoundThoughTheyAreNotMarked) {
  MediaTag frame = tag(Codec::H264, MediaKind::Video, {}, TagKind::Frame);
  ByteVector idr = hex("65aa"), slice = hex("41aa");
  std::vector<Bytes> key = {idr}, inter = {slice};
  EXPECT_TRUE(is_random_access(frame, key));
  EXPECT_FALSE(is_random_access(frame, inter));
  frame.key_frame = true;
  EXPECT_TRUE(is_random_access(frame, inter));
}

TEST(Tracks, Mp3FramesTellTheirFormat) {
  auto mp3 = describe_track(tag(Codec::MpegAudio, MediaKind::Audio, hex("fff340c40000"), TagKind::Frame));
  ASSERT_TRUE(mp3);
  AudioFormat format = audio_format(mp3->track, hex("fff340c40000"));
  EXPECT_EQ(format.sample_rate, 22050u);
  EXPECT_EQ(format.channels, 1);
  EXPECT_EQ(make_audio_head(Codec::MpegAudio, TagKind::Frame, format).data[0], 0x2a);
}

TEST(Tracks, NamesOfCodecs) {
  MediaTag unknown;
  unknown.codec_id = 4;
  EXPECT_EQ(codec_name(unknown), "4");
  unknown.enhanced = true;
  unknown.codec_id = 0x76766331;
  EXPECT_EQ(codec_name(unknown), "vvc1");
}

} // namespace
} // namespace sluice::rtmp
