#include "tests/unit/media/hex.h"
#include "workers/rtmp/protocol/flv_tags.h"

#include <gtest/gtest.h>

namespace sluice::rtmp {
namespace {

using media::Codec;
using media::MediaKind;

std::vector<MediaTag> video(const ByteVector &message) {
  std::vector<MediaTag> tags;
  auto parsed = parse_video_tag(message, tags);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return tags;
}

std::vector<MediaTag> audio(const ByteVector &message) {
  std::vector<MediaTag> tags;
  auto parsed = parse_audio_tag(message, tags);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return tags;
}

ByteVector body(const MediaTag &tag) {
  return {tag.body.begin(), tag.body.end()};
}

TEST(FlvTags, ClassicH264) {
  ByteVector message = hex("17 01 000050 aabb");
  auto tags = video(message);
  ASSERT_EQ(tags.size(), 1u);
  EXPECT_EQ(tags[0].kind, TagKind::Frame);
  EXPECT_EQ(tags[0].codec, Codec::H264);
  EXPECT_TRUE(tags[0].key_frame);
  EXPECT_FALSE(tags[0].enhanced);
  EXPECT_EQ(tags[0].composition_time_ms, 80);
  EXPECT_EQ(body(tags[0]), hex("aabb"));
  EXPECT_EQ(video(hex("27 01 ffffd8 aa"))[0].composition_time_ms, -40);
  EXPECT_FALSE(video(hex("27 01 ffffd8 aa"))[0].key_frame);
  EXPECT_EQ(video(hex("17 00 000000 01"))[0].kind, TagKind::Configuration);
  EXPECT_EQ(video(hex("17 02 000000"))[0].kind, TagKind::EndOfSequence);
  EXPECT_EQ(video(hex("17 07 000000"))[0].kind, TagKind::Other);
  EXPECT_EQ(video(hex("1c 00 000000 01"))[0].codec, Codec::H265);
  EXPECT_TRUE(video(hex("57 01 000000")).empty()); // a command
  EXPECT_TRUE(video({}).empty());
}

TEST(FlvTags, ClassicAudio) {
  EXPECT_EQ(audio(hex("af 00 1210"))[0].kind, TagKind::Configuration);
  ByteVector aac = hex("af 01 21aa");
  EXPECT_EQ(audio(aac)[0].codec, Codec::Aac);
  EXPECT_EQ(audio(aac)[0].kind, TagKind::Frame);
  EXPECT_EQ(body(audio(aac)[0]), hex("21aa"));
  EXPECT_EQ(audio(hex("2f fffb9064"))[0].codec, Codec::MpegAudio);
  EXPECT_EQ(audio(hex("e6 ffe39064"))[0].codec, Codec::MpegAudio);
  EXPECT_EQ(audio(hex("72 00"))[0].codec, Codec::Pcma);
  EXPECT_EQ(audio(hex("83 00"))[0].codec, Codec::Pcmu);
  EXPECT_TRUE(audio(hex("83 00"))[0].stereo);
  EXPECT_EQ(audio(hex("b2 00"))[0].codec, Codec::Other); // Speex
  EXPECT_EQ(audio(hex("b2 00"))[0].codec_id, 11u);
  EXPECT_TRUE(audio({}).empty());
}

TEST(FlvTags, EnhancedVideo) {
  ByteVector frame = hex("91 68766331 000028 aabb"); // hvc1
  auto tags = video(frame);
  ASSERT_EQ(tags.size(), 1u);
  EXPECT_EQ(tags[0].codec, Codec::H265);
  EXPECT_EQ(tags[0].kind, TagKind::Frame);
  EXPECT_TRUE(tags[0].enhanced);
  EXPECT_TRUE(tags[0].key_frame);
  EXPECT_EQ(tags[0].composition_time_ms, 40);
  EXPECT_EQ(body(tags[0]), hex("aabb"));
  ByteVector without_time = hex("a3 68766331 aabb");
  EXPECT_EQ(body(video(without_time)[0]), hex("aabb"));
  EXPECT_FALSE(video(without_time)[0].key_frame);
  EXPECT_EQ(video(hex("90 61763031 81"))[0].kind, TagKind::Configuration);
  ByteVector av1 = hex("91 61763031 0a");
  EXPECT_EQ(video(av1)[0].codec, Codec::Av1); // which has no composition time
  EXPECT_EQ(body(video(av1)[0]), hex("0a"));
  EXPECT_EQ(video(hex("92 76703039"))[0].kind, TagKind::EndOfSequence);
  EXPECT_EQ(video(hex("d4 76703039 02"))[0].kind, TagKind::Metadata);
  EXPECT_EQ(video(hex("91 61766331 000000 aa"))[0].codec, Codec::H264);
  EXPECT_EQ(video(hex("91 76703038 aa"))[0].codec, Codec::Vp8);
  EXPECT_EQ(video(hex("91 76766331 aa"))[0].codec, Codec::Other); // vvc1
  EXPECT_TRUE(video(hex("d1 00")).empty());                       // a command
}

TEST(FlvTags, EnhancedAudio) {
  ByteVector opus = hex("91 4f707573 fcaa");
  EXPECT_EQ(audio(opus)[0].codec, Codec::Opus);
  EXPECT_EQ(audio(opus)[0].kind, TagKind::Frame);
  EXPECT_EQ(body(audio(opus)[0]), hex("fcaa"));
  EXPECT_EQ(audio(hex("90 664c6143 00"))[0].codec, Codec::Flac);
  EXPECT_EQ(audio(hex("91 61632d33 0b77"))[0].codec, Codec::Ac3);
  EXPECT_EQ(audio(hex("90 6d703461 1210"))[0].codec, Codec::Aac);
  EXPECT_EQ(audio(hex("91 2e6d7033 ff"))[0].codec, Codec::MpegAudio);
  EXPECT_EQ(audio(hex("94 4f707573 01"))[0].kind, TagKind::Other); // MultichannelConfig
}

TEST(FlvTags, ModifiersPrecedeThePacket) {
  ByteVector message = hex("97 02 0f423f 03 68766331 aa"); // 999999 ns, then CodedFramesX
  auto tags = video(message);
  EXPECT_EQ(tags[0].nanoseconds, 999'999u);
  EXPECT_EQ(tags[0].kind, TagKind::Frame);
  EXPECT_EQ(body(tags[0]), hex("aa"));
  ByteVector two = hex("97 00 ff 17 02 000064 01 4f707573 fc"); // one of an unknown type first
  EXPECT_EQ(audio(two)[0].nanoseconds, 100u);
  ByteVector long_one = hex("97 ff 00ff");
  long_one.resize(long_one.size() + 256);
  ByteVector rest = hex("01 4f707573 fc");
  long_one.insert(long_one.end(), rest.begin(), rest.end());
  EXPECT_EQ(body(audio(long_one)[0]), hex("fc"));
  ByteVector many = hex("97");
  for (int i = 0; i < 100; i++) {
    ByteVector one = hex("00 ff 17");
    many.insert(many.end(), one.begin(), one.end());
  }
  std::vector<MediaTag> tags_of_many;
  EXPECT_FALSE(parse_audio_tag(many, tags_of_many));
}

TEST(FlvTags, SeveralTracksInOneMessage) {
  ByteVector one = hex("95 01 4f707573 05 fcaa");
  auto tags = audio(one);
  ASSERT_EQ(tags.size(), 1u);
  EXPECT_EQ(tags[0].track_id, 5);
  EXPECT_EQ(tags[0].codec, Codec::Opus);
  EXPECT_EQ(body(tags[0]), hex("fcaa"));

  ByteVector same = hex("95 11 4f707573 00 000002 fcaa 01 000001 fb");
  tags = audio(same);
  ASSERT_EQ(tags.size(), 2u);
  EXPECT_EQ(body(tags[0]), hex("fcaa"));
  EXPECT_EQ(tags[1].track_id, 1);
  EXPECT_EQ(body(tags[1]), hex("fb"));

  ByteVector mixed = hex("96 21 68766331 00 000004 000028aa 61763031 01 000001 0a"); // video
  tags = video(mixed);
  ASSERT_EQ(tags.size(), 2u);
  EXPECT_EQ(tags[0].codec, Codec::H265);
  EXPECT_EQ(tags[0].composition_time_ms, 40);
  EXPECT_EQ(body(tags[0]), hex("aa"));
  EXPECT_EQ(tags[1].codec, Codec::Av1);
  EXPECT_EQ(body(tags[1]), hex("0a"));

  ByteVector many = hex("95 11 4f707573");
  for (int i = 0; i < 20; i++) {
    ByteVector track = hex("00 000000");
    many.insert(many.end(), track.begin(), track.end());
  }
  EXPECT_FALSE(parse_audio_tag(many, tags));
}

// Byte by byte: what is cut off within a header is an error, later it is a shorter body.
TEST(FlvTags, CutMessagesAreErrorsOrShorter) {
  std::vector<MediaTag> tags;
  struct Sample {
    ByteVector message;
    size_t header;
    bool video;
  };
  for (const Sample &sample : {Sample{hex("17 01 000050 aabb"), 5, true},
                               {hex("91 68766331 000028 aabb"), 8, true},
                               {hex("97 02 0f423f 03 68766331 aa"), 10, true},
                               {hex("af 01 aa"), 2, false},
                               {hex("95 11 4f707573 00 000002 fcaa"), 12, false}}) {
    for (size_t size = 1; size < sample.message.size(); size++) {
      Bytes cut = Bytes(sample.message).first(size);
      bool parsed = (sample.video ? parse_video_tag(cut, tags) : parse_audio_tag(cut, tags)).has_value();
      EXPECT_EQ(parsed, size >= sample.header) << size;
    }
  }
}

ByteVector message(const TagHead &head, const char *rest) {
  ByteVector out(head.bytes().begin(), head.bytes().end());
  ByteVector more = hex(rest);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

TEST(FlvTags, WhatIsWrittenIsReadBack) {
  for (Codec codec : {Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1}) {
    for (TagKind kind : {TagKind::Configuration, TagKind::Frame, TagKind::EndOfSequence}) {
      for (int32_t time : {0, 120, -80}) {
        ByteVector bytes = message(make_video_head(codec, kind, false, time), "0aff");
        auto tags = video(bytes);
        ASSERT_EQ(tags.size(), 1u);
        EXPECT_EQ(tags[0].kind, kind);
        EXPECT_EQ(tags[0].codec, codec);
        EXPECT_EQ(tags[0].enhanced, codec != Codec::H264);
        EXPECT_EQ(tags[0].key_frame, kind != TagKind::Frame);
        bool timed = kind == TagKind::Frame && (codec == Codec::H264 || codec == Codec::H265);
        EXPECT_EQ(tags[0].composition_time_ms, timed ? time : 0);
        EXPECT_EQ(body(tags[0]), hex("0aff"));
      }
    }
  }
  for (Codec codec : {Codec::Aac, Codec::MpegAudio, Codec::Pcma, Codec::Pcmu, Codec::Opus, Codec::Flac, Codec::Ac3}) {
    for (uint8_t track_id : {0, 3}) {
      bool g711 = codec == Codec::Pcma || codec == Codec::Pcmu;
      if (track_id != 0 && g711) continue; // which have no four-character code
      ByteVector bytes = message(make_audio_head(codec, TagKind::Frame, {48000, 2}, track_id), "0aff");
      auto tags = audio(bytes);
      ASSERT_EQ(tags.size(), 1u);
      EXPECT_EQ(tags[0].kind, TagKind::Frame);
      EXPECT_EQ(tags[0].codec, codec);
      EXPECT_EQ(tags[0].track_id, track_id);
      EXPECT_EQ(body(tags[0]), hex("0aff"));
    }
  }
}

TEST(FlvTags, ClassicHeadersAreThoseThatPlayersKnow) {
  auto bytes = [](const TagHead &head) { return ByteVector(head.bytes().begin(), head.bytes().end()); };
  EXPECT_EQ(bytes(make_video_head(Codec::H264, TagKind::Frame, true, 40)), hex("17 01 000028"));
  EXPECT_EQ(bytes(make_video_head(Codec::H264, TagKind::Configuration, true)), hex("17 00 000000"));
  EXPECT_EQ(bytes(make_audio_head(Codec::Aac, TagKind::Frame, {8000, 1})), hex("af 01"));
  EXPECT_EQ(bytes(make_audio_head(Codec::AacLatm, TagKind::Configuration, {44100, 2})), hex("af 00"));
  EXPECT_EQ(bytes(make_audio_head(Codec::MpegAudio, TagKind::Frame, {44100, 2})), hex("2f"));
  EXPECT_EQ(bytes(make_audio_head(Codec::MpegAudio, TagKind::Frame, {22050, 1})), hex("2a"));
  EXPECT_EQ(bytes(make_audio_head(Codec::Pcma, TagKind::Frame, {8000, 1})), hex("72"));
}

} // namespace
} // namespace sluice::rtmp
