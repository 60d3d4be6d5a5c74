#include "workers/rtmp/protocol/amf0.h"
#include "workers/rtmp/protocol/metadata.h"

#include <gtest/gtest.h>

namespace sluice::rtmp {
namespace {

ByteVector script(const char *handler, const AmfValue &object) {
  ByteVector bytes;
  encode_amf0(bytes, handler);
  encode_amf0(bytes, object);
  return bytes;
}

Metadata read(const AmfValue &object) {
  auto metadata = parse_metadata(script("onMetaData", object));
  EXPECT_TRUE(metadata && *metadata);
  return **metadata;
}

TEST(Metadata, NamesCodecsByNumberOrText) {
  struct Case {
    AmfValue video, audio;
    const char *video_name, *audio_name;
  };
  for (const Case &c : {Case{7.0, 10.0, "avc1", "mp4a"}, Case{"avc1", "mp4a", "avc1", "mp4a"}, Case{0.0, 0.0, "", ""},
                        Case{12.0, 2.0, "hvc1", ".mp3"}, Case{4.0, 14.0, "4", ".mp3"},
                        Case{double(0x68766331), double(0x4f707573), "hvc1", "Opus"}, Case{7.5, 8.0, "7.5", "ulaw"}}) {
    Metadata metadata = read(AmfValue::object({{"videocodecid", c.video}, {"audiocodecid", c.audio}}));
    EXPECT_EQ(metadata.video, c.video_name);
    EXPECT_EQ(metadata.audio, c.audio_name);
  }
}

TEST(Metadata, MaySayNothing) {
  EXPECT_EQ(read(AmfValue::object({})), Metadata());
  EXPECT_EQ(read(AmfValue::object({{"videocodecid", AmfValue::null()}, {"width", -5.0}})), Metadata());
  for (const ByteVector &other : {script("onCuePoint", AmfValue::object({})), script("onMetaData", AmfValue("text"))}) {
    auto metadata = parse_metadata(other);
    EXPECT_TRUE(metadata && !*metadata);
  }
}

TEST(Metadata, IsReadAsItWasWritten) {
  for (const Metadata &metadata :
       {Metadata{"avc1", "mp4a", 1920, 1080, 25}, Metadata{"hvc1", "Opus", 0, 0, 0}, Metadata{"", ".mp3", 0, 0, 0},
        Metadata{std::nullopt, "alaw", 0, 0, 0}, Metadata{"something", std::nullopt, 0, 0, 29.97}}) {
    auto again = parse_metadata(write_metadata(metadata));
    ASSERT_TRUE(again && *again);
    EXPECT_EQ(**again, metadata);
  }
}

TEST(Metadata, IsWrittenAsFlvNumbersIt) {
  auto values = decode_amf0(write_metadata({.video = "avc1", .audio = ""}));
  ASSERT_TRUE(values);
  EXPECT_EQ(values->at(1).number_of("videocodecid"), 7);
  EXPECT_EQ(values->at(1).number_of("videodatarate"), 0);
  EXPECT_EQ(values->at(1).number_of("audiocodecid"), 0);
}

TEST(Metadata, MayNotBeIncomplete) {
  ByteVector bytes = script("onMetaData", AmfValue::object({{"width", 1.0}}));
  for (size_t size = 0; size < bytes.size(); size++) {
    auto metadata = parse_metadata(Bytes(bytes).first(size));
    EXPECT_TRUE(!metadata || !*metadata) << size;
  }
}

} // namespace
} // namespace sluice::rtmp
