#include "ts_builder.h"
#include "workers/hls/demux/packed_audio_reader.h"

#include <gmock/gmock.h>

namespace sluice::hls {
namespace {

using testing::ElementsAre;

ByteVector text(std::string_view characters) {
  return {characters.begin(), characters.end()};
}

ByteVector seven(size_t size) {
  return {static_cast<uint8_t>(size >> 21 & 0x7f), static_cast<uint8_t>(size >> 14 & 0x7f),
          static_cast<uint8_t>(size >> 7 & 0x7f), static_cast<uint8_t>(size & 0x7f)};
}

ByteVector id3(const ByteVector &frames) {
  return text("ID3") + ByteVector{4, 0, 0} + seven(frames.size()) + frames;
}

ByteVector timestamp(uint64_t value) {
  ByteVector body = text("com.apple.streaming.transportStreamTimestamp") + ByteVector(9);
  store_be64(&body[body.size() - 8], value);
  return text("PRIV") + seven(body.size()) + ByteVector{0, 0} + body;
}

ByteVector other_frame(size_t size) {
  return text("TXXX") + seven(size) + ByteVector{0, 0} + ByteVector(size, 'x');
}

DemuxRecord read(const std::vector<ByteVector> &segments, size_t piece = SIZE_MAX) {
  PackedAudioReader reader;
  DemuxRecord record;
  for (const ByteVector &segment : segments) {
    for (Bytes rest(segment); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
      reader.push(rest.first(std::min(piece, rest.size())), record);
    reader.end_segment();
  }
  return record;
}

TEST(PackedAudio, HasTheTimesOfItsTags) {
  std::vector<ByteVector> segments = {id3(other_frame(200) + timestamp(90'000)) + adts_frame(50, 1) + adts_frame(60, 2),
                                      id3(timestamp(180'000)) + id3(other_frame(3)) + adts_frame(70, 3)};
  for (size_t piece : {size_t{1}, size_t{9}, size_t{100}, SIZE_MAX}) {
    DemuxRecord record = read(segments, piece);
    EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 mpeg4-generic")) << piece;
    ASSERT_EQ(record.units.size(), 3U) << piece;
    EXPECT_THAT(record.units[0].units, ElementsAre(ByteVector(50, 1)));
    EXPECT_EQ(record.units[0].pts_ns, kSecond);
    EXPECT_EQ(record.units[1].pts_ns, kSecond + 1024 * kSecond / 48'000);
    EXPECT_EQ(record.units[2].pts_ns, 2 * kSecond);
    EXPECT_FALSE(record.units[2].after_loss);
  }
}

TEST(PackedAudio, MayBeOfSeveralCodecs) {
  ByteVector mp3(417, 0); // 128 kbit/s, 44.1 kHz
  mp3[0] = 0xff, mp3[1] = 0xfb, mp3[2] = 0x90;
  DemuxRecord record = read({id3(timestamp(0)) + adts_frame(50, 1), id3(timestamp(90'000)) + mp3 + mp3});
  EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 mpeg4-generic", "tracks 1", "track 0 MPA"));
  ASSERT_EQ(record.units.size(), 3U);
  EXPECT_EQ(record.units[2].pts_ns, kSecond + 1152 * kSecond / 44'100);
}

TEST(PackedAudio, SkipsTagsThatAreTooLarge) {
  ByteVector large = id3(other_frame(kMaxId3Tag));
  for (size_t piece : {size_t{1000}, SIZE_MAX}) {
    DemuxRecord record = read({large + id3(timestamp(90'000)) + adts_frame(50, 1)}, piece);
    ASSERT_EQ(record.units.size(), 1U) << piece;
    EXPECT_EQ(record.units[0].pts_ns, kSecond);
  }
}

TEST(PackedAudio, IsNothingElse) {
  DemuxRecord record = read({ByteVector(500, 'x'), id3(ByteVector(100, 0xff)) + ByteVector(100, 1), text("ID3")});
  EXPECT_TRUE(record.events.empty());
  EXPECT_TRUE(record.units.empty());
}

} // namespace
} // namespace sluice::hls
