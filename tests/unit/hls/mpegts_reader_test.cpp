#include "ts_builder.h"
#include "workers/hls/demux/mpegts_reader.h"

#include <gmock/gmock.h>

namespace sluice::hls {
namespace {

using testing::ElementsAre;

constexpr uint16_t kVideo = 0x100, kAudio = 0x101;
constexpr uint8_t kH264 = 0x1b, kAac = 0x0f;

DemuxRecord read(const ByteVector &bytes, size_t piece = SIZE_MAX) {
  MpegTsReader reader;
  DemuxRecord record;
  for (Bytes rest(bytes); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
    reader.push(rest.first(std::min(piece, rest.size())), record);
  reader.end_segment(record);
  return record;
}

ByteVector slice(bool idr, size_t size, uint8_t content) {
  ByteVector unit(size, content);
  unit[0] = idr ? 0x65 : 0x41;
  return unit;
}

TsBuilder video_and_audio() {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}, {kAac, kAudio}});
  ts.add(kVideo, pes(90'000, 87'000, h264_picture(true, 500, 1)), true);
  ts.add(kAudio, pes(90'000, {}, adts_frame(100, 1) + adts_frame(120, 2), true));
  ts.add(kVideo, pes(96'000, 90'000, h264_picture(false, 300, 2)));
  ts.add(kVideo, pes(93'000, {}, h264_picture(false, 10, 3)));
  return ts;
}

TEST(MpegTsReader, FindsTracksAndTheirUnits) {
  DemuxRecord record = read(video_and_audio().bytes());
  EXPECT_THAT(record.events, ElementsAre("tracks 2", "track 1 mpeg4-generic", "track 0 H264"));
  EXPECT_EQ(media::parse_parameter_sets(record.tracks[0].track).value(), h264_sets());
  EXPECT_THAT(record.tracks[0].configuration, ElementsAre(h264_sets().sps, h264_sets().pps));
  EXPECT_EQ(record.tracks[1].track.clock_rate, 48000U);
  EXPECT_EQ(record.tracks[1].track.channels, 2U);
  auto video = record.of(0);
  ASSERT_EQ(video.size(), 3U);
  EXPECT_THAT(video[0].units, ElementsAre(h264_sets().sps, h264_sets().pps, slice(true, 500, 1)));
  EXPECT_EQ(video[0].pts_ns, kSecond);
  EXPECT_EQ(video[0].dts_ns, kSecond * 87 / 90 - kSecond * 87 % 90 / 90);
  EXPECT_TRUE(video[0].random_access);
  EXPECT_THAT(video[1].units, ElementsAre(slice(false, 300, 2)));
  EXPECT_FALSE(video[1].random_access);
  EXPECT_EQ(video[2].pts_ns, video[2].dts_ns);
  auto audio = record.of(1);
  ASSERT_EQ(audio.size(), 2U);
  EXPECT_THAT(audio[0].units, ElementsAre(ByteVector(100, 1)));
  EXPECT_EQ(audio[1].pts_ns - audio[0].pts_ns, 1024 * kSecond / 48000);
  EXPECT_FALSE(audio[0].after_loss);
}

TEST(MpegTsReader, TakesBytesInAnyPieces) {
  ByteVector bytes = video_and_audio().bytes();
  DemuxRecord whole = read(bytes);
  for (size_t piece : {1, 2, 187, 188, 189, 375, 376, 1000}) {
    DemuxRecord pieces = read(bytes, piece);
    EXPECT_EQ(pieces.units, whole.units) << piece;
    EXPECT_EQ(pieces.events, whole.events) << piece;
  }
}

TEST(MpegTsReader, UnrollsTimestamps) {
  constexpr uint64_t kEnd = uint64_t{1} << 33;
  TsBuilder ts;
  ts.tables({{kH264, kVideo}, {kAac, kAudio}});
  ts.add(kVideo, pes(kEnd - 3000, kEnd - 9000, h264_picture(true, 50, 1)));
  ts.add(kVideo, pes(3000, kEnd - 3000, h264_picture(false, 50, 2)));
  ts.add(kAudio, pes(kEnd - 6000, {}, adts_frame(10, 1), true));
  ts.add(kVideo, pes(9000, 3000, h264_picture(false, 50, 3)));
  ts.add(kAudio, pes(6000, {}, adts_frame(10, 2), true));
  DemuxRecord record = read(ts.bytes());
  constexpr Nanoseconds kWrap = static_cast<Nanoseconds>(kEnd) * 100'000 / 9;
  auto video = record.of(0);
  ASSERT_EQ(video.size(), 3U);
  EXPECT_NEAR(video[1].pts_ns, kWrap + kSecond / 30, 2);
  EXPECT_NEAR(video[1].dts_ns, kWrap - kSecond / 30, 2);
  EXPECT_NEAR(video[2].dts_ns, kWrap + kSecond / 30, 2);
  EXPECT_NEAR(record.of(1)[0].pts_ns, kWrap - kSecond / 15, 2);
  EXPECT_NEAR(record.of(1)[1].pts_ns, kWrap + kSecond / 15, 2);
}

TEST(MpegTsReader, LosesOnlyTheUnitThatIsDamaged) {
  TsBuilder ts = video_and_audio();
  TsBuilder whole = ts;
  ts.packets.erase(ts.packets.begin() + 3); // the second one of the first picture
  MpegTsReader reader;
  DemuxRecord record;
  reader.push(ts.bytes(), record);
  reader.end_segment(record);
  EXPECT_EQ(record.of(0).size(), 0U); // without a picture that has parameter sets
  EXPECT_EQ(record.of(1), read(whole.bytes()).of(1));
  EXPECT_EQ(reader.lost_packets(), 1U);
  // the one behind it is told as such
  TsBuilder next;
  next.tables({{kH264, kVideo}, {kAac, kAudio}});
  next.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  next.add(kVideo, pes(3000, {}, h264_picture(false, 400, 2)));
  size_t lost = next.packets.size() - 1;
  next.add(kVideo, pes(6000, {}, h264_picture(false, 10, 3)));
  next.add(kVideo, pes(9000, {}, h264_picture(false, 10, 4)));
  next.packets.erase(next.packets.begin() + static_cast<ptrdiff_t>(lost));
  auto video = read(next.bytes()).of(0);
  ASSERT_EQ(video.size(), 3U);
  EXPECT_FALSE(video[0].after_loss);
  EXPECT_THAT(video[1].units, ElementsAre(slice(false, 10, 3)));
  EXPECT_TRUE(video[1].after_loss);
  EXPECT_FALSE(video[2].after_loss);
}

TEST(MpegTsReader, IgnoresRepeatedPackets) {
  TsBuilder ts = video_and_audio();
  DemuxRecord once = read(ts.bytes());
  ts.packets.insert(ts.packets.begin() + 4, ts.packets[3]);
  EXPECT_EQ(read(ts.bytes()).units, once.units);
}

TEST(MpegTsReader, AcceptsAnnouncedJumpsOfTheCounter) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ts.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  ts.skip_counter(kVideo);
  ts.add(kVideo, pes(3000, {}, h264_picture(false, 10, 2)), false, true);
  auto video = read(ts.bytes()).of(0);
  ASSERT_EQ(video.size(), 2U);
  EXPECT_FALSE(video[1].after_loss);
}

TEST(MpegTsReader, FindsPacketsAgain) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ts.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  ts.add(kVideo, pes(3000, {}, h264_picture(false, 10, 2)));
  ByteVector garbage(300, kTsSync - 1);
  garbage[7] = garbage[200] = kTsSync; // which are none; the second would hide where a packet begins
  ByteVector bytes = garbage + ts.packets[0] + ts.packets[1] + garbage + ts.packets[2] + ts.packets[3];
  for (size_t piece : {size_t{1}, size_t{100}, SIZE_MAX}) {
    DemuxRecord record = read(bytes, piece);
    EXPECT_EQ(record.units.size(), 2U) << piece;
  }
}

TEST(MpegTsReader, ReadsTablesOverSeveralPackets) {
  ByteVector padding = {0x80, 250};
  padding.resize(252, 0xaa);
  TsBuilder ts;
  ts.tables({{0x02, 0x200, padding}, {0x02, 0x201, padding}, {kH264, kVideo}});
  ts.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  EXPECT_EQ(read(ts.bytes()).units.size(), 1U);
  EXPECT_GT(ts.packets.size(), 4U);
  ts.packets.erase(ts.packets.begin() + 2); // one of the table's
  EXPECT_EQ(read(ts.bytes()).units.size(), 0U);
}

TEST(MpegTsReader, IgnoresTablesThatAreWrongOrNotInForce) {
  for (bool wrong : {false, true}) {
    TsBuilder ts;
    ts.add(kPatPid, ByteVector{0} + pat_section());
    ByteVector table = pmt_section({{kH264, kVideo}}, 0, wrong);
    if (wrong) table[9] ^= 1;
    ts.add(kTestPmtPid, ByteVector{0} + table);
    EXPECT_TRUE(read(ts.bytes()).events.empty()) << wrong;
  }
}

TEST(MpegTsReader, TellsTracksAgainWhenTheyChange) {
  TsBuilder ts = video_and_audio();
  ts.tables({{kH264, kVideo}, {kAac, kAudio}}, 1); // another version of the same
  ts.add(kVideo, pes(99'000, {}, h264_picture(true, 10, 4)));
  ts.tables({{kH264, kVideo}}, 2);
  ts.add(kVideo, pes(102'000, {}, h264_picture(true, 10, 5)));
  DemuxRecord record = read(ts.bytes());
  EXPECT_THAT(record.events,
              ElementsAre("tracks 2", "track 1 mpeg4-generic", "track 0 H264", "tracks 1", "track 0 H264"));
  EXPECT_EQ(record.of(0).size(), 5U);
}

TEST(MpegTsReader, TellsParametersThatChange) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ts.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  ts.add(kVideo, pes(3000, {}, h264_picture(true, 10, 2)));
  ByteVector pps = {0x68, 0xce, 0x3c, 0x80};
  ts.add(kVideo, pes(6000, {}, ByteVector{0, 0, 1} + pps + ByteVector{0, 0, 1, 0x65, 1, 2}));
  DemuxRecord record = read(ts.bytes());
  EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 H264", "track 0 H264"));
  EXPECT_THAT(record.tracks[0].configuration, ElementsAre(h264_sets().sps, pps));
  EXPECT_EQ(record.units.size(), 3U);
}

TEST(MpegTsReader, JoinsAPictureOfSeveralPesPackets) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ByteVector picture = h264_picture(true, 500, 1);
  ts.add(kVideo, pes(0, {}, ByteVector(picture.begin(), picture.begin() + 200), true));
  ts.add(kVideo, pes({}, {}, ByteVector(picture.begin() + 200, picture.end())));
  auto video = read(ts.bytes()).of(0);
  ASSERT_EQ(video.size(), 1U);
  EXPECT_EQ(video[0].units.back(), slice(true, 500, 1));
}

TEST(MpegTsReader, JoinsFramesOverPesPacketsAndSegments) {
  ByteVector frames = adts_frame(100, 1) + adts_frame(100, 2) + adts_frame(100, 3);
  ByteVector first(frames.begin(), frames.begin() + 150), second(frames.begin() + 150, frames.end());
  TsBuilder ts;
  ts.tables({{kAac, kAudio}});
  ts.add(kAudio, pes(90'000, {}, first, true));
  MpegTsReader reader;
  DemuxRecord record;
  reader.push(ts.bytes(), record);
  reader.end_segment(record);
  ts.packets.clear();
  ts.tables({{kAac, kAudio}});
  ts.add(kAudio, pes(180'000, {}, second, true)); // the time of the third frame
  reader.push(ts.bytes(), record);
  auto audio = record.of(0);
  ASSERT_EQ(audio.size(), 3U);
  EXPECT_EQ(audio[1].pts_ns, kSecond + 1024 * kSecond / 48000);
  EXPECT_THAT(audio[1].units, ElementsAre(ByteVector(100, 2)));
  EXPECT_EQ(audio[2].pts_ns, 2 * kSecond);
  EXPECT_FALSE(audio[2].after_loss);
}

TEST(MpegTsReader, SkipsWhatIsNoFrame) {
  TsBuilder ts;
  ts.tables({{kAac, kAudio}});
  ts.add(kAudio, pes(0, {}, adts_frame(50, 1) + ByteVector(20, 0x55) + adts_frame(50, 2), true));
  auto audio = read(ts.bytes()).of(0);
  ASSERT_EQ(audio.size(), 2U);
  EXPECT_FALSE(audio[0].after_loss);
  EXPECT_TRUE(audio[1].after_loss);
}

TEST(MpegTsReader, ReadsOpus) {
  TsBuilder ts;
  ts.tables({{0x06, kAudio, {0x05, 4, 'O', 'p', 'u', 's', 0x7f, 2, 0x80, 2}}});
  ByteVector packet(300, 7);
  packet[0] = 0x08;                                                            // SILK, 20 ms, one frame
  ByteVector payload = ByteVector{0x7f, 0xe0, 255, 45} + packet;               // 300 bytes
  payload = payload + ByteVector{0x7f, 0xf4, 2, 0x01, 0x38, 1, 0xee, 0x08, 9}; // with start trim and extension
  ts.add(kAudio, pes(90'000, {}, payload, true));
  DemuxRecord record = read(ts.bytes());
  EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 opus"));
  EXPECT_EQ(record.tracks[0].track.fmtp, "sprop-stereo=1");
  ASSERT_EQ(record.units.size(), 2U);
  EXPECT_THAT(record.units[0].units, ElementsAre(packet));
  EXPECT_THAT(record.units[1].units, ElementsAre(ByteVector{0x08, 9}));
  EXPECT_EQ(record.units[1].pts_ns, kSecond + 20 * kMillisecond);
}

TEST(MpegTsReader, LeavesOtherStreamsAlone) {
  TsBuilder ts;
  ts.tables({{0x06, 0x200}, {0x15, 0x201}, {0x87, 0x202}, {kH264, kVideo}});
  ts.add(0x200, pes(0, {}, ByteVector(100, 1)));
  ts.add(kVideo, pes(0, {}, h264_picture(true, 10, 1)));
  DemuxRecord record = read(ts.bytes());
  EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 H264"));
}

TEST(MpegTsReader, BeginsTimesAnewAfterADiscontinuity) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ts.add(kVideo, pes(uint64_t{1} << 32, {}, h264_picture(true, 10, 1)));
  MpegTsReader reader;
  DemuxRecord record;
  reader.push(ts.bytes(), record);
  reader.begin_discontinuity(record);
  TsBuilder next;
  next.skip_counter(kVideo);
  next.skip_counter(kVideo);
  next.skip_counter(kVideo);
  next.tables({{kH264, kVideo}});
  next.add(kVideo, pes(90'000, {}, h264_picture(true, 10, 2)));
  reader.push(next.bytes(), record);
  reader.end_segment(record);
  ASSERT_EQ(record.units.size(), 2U);
  EXPECT_EQ(record.units[1].pts_ns, kSecond);
  EXPECT_FALSE(record.units[1].after_loss);
  EXPECT_EQ(reader.lost_packets(), 0U);
  EXPECT_EQ(record.events.size(), 2U); // the tracks are the same
}

TEST(MpegTsReader, IsBounded) {
  TsBuilder ts;
  ts.tables({{kH264, kVideo}});
  ts.add(kVideo, pes(0, {}, h264_picture(true, rtp::kMaxAccessUnit, 1)));
  ts.add(kVideo, pes(3000, {}, h264_picture(true, 10, 2)));
  auto video = read(ts.bytes()).of(0);
  ASSERT_EQ(video.size(), 1U);
  EXPECT_TRUE(video[0].after_loss);
  EXPECT_EQ(video[0].pts_ns, 3000 * kSecond / 90'000);
}

} // namespace
} // namespace sluice::hls
