#include "tests/unit/hls/mux_harness.h"
#include "workers/hls/mux/sample_data.h"

namespace sluice::hls {
namespace {

using media::Codec;

TrackFormat format_of(const SegmenterTrack &track) {
  return make_format(track.track, track.sets).value();
}

uint32_t crc_of(Bytes bytes) { // by bits, as the standard's figure draws it
  uint32_t shift = 0xffffffff;
  for (uint8_t byte : bytes) {
    for (int bit = 7; bit >= 0; bit--) {
      bool feedback = ((shift >> 31) ^ (byte >> bit & 1u)) != 0;
      shift <<= 1;
      if (feedback) shift ^= 0x04c11db7;
    }
  }
  return shift;
}

ByteVector segment_bytes(const Recorder &made) {
  ByteVector all;
  for (const Recorder::Made &segment : made.segments) all.insert(all.end(), segment.bytes.begin(), segment.bytes.end());
  return all;
}

std::vector<ByteVector> annexb_units(const ByteVector &data) {
  std::vector<ByteVector> out;
  for (size_t i = 0; i < data.size(); i++) {
    bool begins = i + 4 <= data.size() && load_be32(data.data() + i) == 1;
    if (begins) {
      out.emplace_back();
      i += 3;
    } else if (!out.empty()) {
      out.back().push_back(data[i]);
    }
  }
  return out;
}

TEST(MpegTs, StatesTheProgram) {
  SegmenterTrack ac3{{media::MediaKind::Audio, Codec::Ac3, 98, 48000, 2, "ac3", ""}, {}};
  ByteVector ac3_frame = hex("0b770000144043e1");
  TrackFormat formats[] = {format_of(h264_track()), format_of(aac_track()),
                           make_format(ac3.track, Bytes(ac3_frame)).value()};
  const TrackFormat *pointers[] = {&formats[0], &formats[1], &formats[2]};
  MpegTsWriter writer;
  writer.set_tracks(pointers);
  writer.write_tables();
  EXPECT_EQ(writer.bytes().size(), 2 * 188u);
  TsFile file = read_ts(writer.bytes());
  ByteVector expected =
      hex("02 b0 22 0001 c1 00 00 e100 f000  1b e100 f000  0f e101 f000  81 e102 f006 05 04 41432d33");
  ASSERT_EQ(file.pmt.size(), expected.size() + 4);
  EXPECT_EQ(ByteVector(file.pmt.begin(), file.pmt.end() - 4), expected);
  EXPECT_EQ(load_be32(file.pmt.data() + expected.size()), crc_of(expected));
  ByteVector pat(writer.bytes().begin() + 5, writer.bytes().begin() + 5 + 16);
  EXPECT_EQ(ByteVector(pat.begin(), pat.begin() + 12), hex("00 b0 0d 0001 c1 00 00 0001 f000"));
  EXPECT_EQ(load_be32(pat.data() + 12), crc_of(Bytes(pat).first(12)));
}

TEST(MpegTs, StuffsPacketsOfAnySize) {
  TrackFormat format = format_of(h264_track());
  const TrackFormat *formats[] = {&format};
  for (size_t size = 1; size < 600; size++) {
    MpegTsWriter writer;
    writer.set_tracks(formats);
    ByteVector data(size, static_cast<uint8_t>(size));
    for (bool random_access : {true, false})
      writer.write_video({.dts = 900000 + (random_access ? 0 : 1), .random_access = random_access}, data);
    TsFile file = read_ts(writer.bytes());
    ASSERT_EQ(file.pes[256].size(), 2u);
    EXPECT_EQ(file.pes[256][0].data, data) << size;
    EXPECT_EQ(file.pes[256][1].data, data) << size;
    EXPECT_TRUE(file.pes[256][0].random_access);
    EXPECT_FALSE(file.pes[256][1].random_access);
  }
}

TEST(MpegTs, RepeatsTablesBeforeEachRandomAccessUnit) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track(), aac_track()}, 0, 2 * kSecond);
  feed(segmenter, stream(6 * kSecond, 500 * kMillisecond), made);
  segmenter.flush(made);
  for (const Recorder::Made &segment : made.segments) {
    TsFile file = read_ts(segment.bytes);
    ASSERT_FALSE(file.pats.empty());
    EXPECT_EQ(file.pats[0], 0u);
    size_t random = 0;
    for (const TsPes &pes : file.pes[256]) {
      if (!pes.random_access) continue;
      random++;
      bool before = std::count(file.pats.begin(), file.pats.end(), pes.packet - 2) == 1 &&
                    std::count(file.pmts.begin(), file.pmts.end(), pes.packet - 1) == 1;
      EXPECT_TRUE(before || random == 1);
    }
    EXPECT_GE(random, 1u);
  }
}

TEST(MpegTs, CountersGoOnFromSegmentToSegment) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track(), aac_track()});
  feed(segmenter, stream(5 * kSecond), made);
  segmenter.flush(made);
  TsFile file = read_ts(segment_bytes(made));
  EXPECT_EQ(file.counters.size(), 4u);
  for (const auto &[pid, counters] : file.counters) {
    for (size_t i = 0; i < counters.size(); i++) EXPECT_EQ(counters[i], static_cast<int>(i % 16)) << pid;
  }
}

TEST(MpegTs, HasAPcrAtLeastEach100Ms) {
  struct Case {
    std::vector<SegmenterTrack> tracks;
    Nanoseconds picture_ms;
    int pid;
  };
  for (const Case &test : {Case{{h264_track(), aac_track()}, 40, 256}, Case{{h264_track(), aac_track()}, 1000, 256},
                           Case{{h264_track()}, 400, 256}, Case{{aac_track()}, 0, 257}}) {
    Recorder made;
    Segmenter segmenter = make_segmenter(Variant::MpegTs, test.tracks);
    for (Unit unit :
         stream(4 * kSecond, kSecond, test.picture_ms > 0, test.tracks.size() == 2 || test.picture_ms == 0)) {
      if (test.picture_ms > 0 && unit.track == 0 && unit.dts % (test.picture_ms * kMillisecond) != 0) continue;
      ASSERT_TRUE(feed(segmenter, unit, made));
    }
    segmenter.flush(made);
    TsFile file = read_ts(segment_bytes(made));
    EXPECT_EQ(file.pcr_pid, test.pid);
    ASSERT_GT(file.pcrs.size(), 30u);
    for (size_t i = 1; i < file.pcrs.size(); i++) {
      EXPECT_GT(file.pcrs[i].second, file.pcrs[i - 1].second);
      EXPECT_LE(file.pcrs[i].second - file.pcrs[i - 1].second, 9000u);
    }
    for (const auto &[pid, packets] : file.pes) { // nothing comes too late
      for (const TsPes &pes : packets) {
        uint64_t pcr = 0;
        for (const auto &[packet, value] : file.pcrs) {
          if (packet <= pes.packet) pcr = value;
        }
        EXPECT_GT(pes.dts.value_or(pes.pts), pcr);
        EXPECT_LT(pes.dts.value_or(pes.pts), pcr + 90000);
      }
    }
  }
}

TEST(MpegTs, TimesWrapAt33Bits) {
  Nanoseconds wrap = (int64_t{1} << 33) * 100000 / 9;
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track()});
  for (int i = 0; i < 100; i++)
    ASSERT_TRUE(feed(segmenter, picture(wrap - 12 * kSecond + i * kFrame, i % 25 == 0, 500, kFrame), made));
  segmenter.flush(made);
  ASSERT_EQ(made.segments.size(), 4u);
  TsFile file = read_ts(segment_bytes(made));
  uint64_t first = file.pes[256][0].dts.value();
  EXPECT_GT(first, (uint64_t{1} << 33) - 200000);
  for (size_t i = 0; i < 100; i++) {
    EXPECT_EQ(file.pes[256][i].dts.value(), (first + i * 3600) & 0x1ffffffff);
    EXPECT_EQ(file.pes[256][i].pts, (first + i * 3600 + 3600) & 0x1ffffffff);
  }
}

TEST(MpegTs, HasDtsOnlyWhereItDiffersFromPts) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track()});
  std::vector<Unit> units = {picture(0, true), picture(kFrame, false, 500, kFrame), picture(2 * kFrame, false)};
  feed(segmenter, units, made);
  segmenter.flush(made);
  TsFile file = read_ts(segment_bytes(made));
  ASSERT_EQ(file.pes[256].size(), 3u);
  EXPECT_FALSE(file.pes[256][0].dts);
  EXPECT_EQ(file.pes[256][1].dts, 903600u);
  EXPECT_EQ(file.pes[256][1].pts, 907200u);
  EXPECT_FALSE(file.pes[256][2].dts);
}

TEST(MpegTs, PicturesBeginWithADelimiterAndKeyFramesHaveTheirSets) {
  Unit bare = picture(0, true);
  Unit plain = picture(kFrame, false);
  Unit own = picture(2 * kFrame, true);
  own.units.insert(own.units.begin(), {hex("0910"), hex(kOtherSps), hex(kPps)});
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track()});
  feed(segmenter, {bare, plain, own}, made);
  segmenter.flush(made);
  TsFile file = read_ts(segment_bytes(made));
  ASSERT_EQ(file.pes[256].size(), 3u);
  std::vector<ByteVector> expected = {hex("09f0"), hex(kSps), hex(kPps), bare.units[0]};
  EXPECT_EQ(annexb_units(file.pes[256][0].data), expected);
  EXPECT_EQ(annexb_units(file.pes[256][1].data), (std::vector<ByteVector>{hex("09f0"), plain.units[0]}));
  EXPECT_EQ(annexb_units(file.pes[256][2].data), own.units);
}

TEST(MpegTs, AacFramesHaveAdtsHeadersAndSharePackets) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {h264_track(), aac_track()});
  std::vector<Unit> units = stream(3 * kSecond);
  feed(segmenter, units, made);
  segmenter.flush(made);
  TsFile file = read_ts(segment_bytes(made));
  std::vector<ByteVector> frames;
  for (const TsPes &pes : file.pes[257]) {
    uint64_t expected = 900000 + frames.size() * 1920;
    EXPECT_EQ(pes.pts, expected);
    size_t before = frames.size();
    for (Bytes rest = pes.data; !rest.empty();) {
      ASSERT_GE(rest.size(), 7u);
      EXPECT_EQ(load_be32(rest.data()), 0xfff14c80u | rest[3]); // LC, 48 kHz, stereo
      size_t size = (rest[3] & 3u) << 11 | static_cast<size_t>(rest[4]) << 3 | rest[5] >> 5;
      ASSERT_LE(size, rest.size());
      frames.emplace_back(rest.begin() + 7, rest.begin() + static_cast<ptrdiff_t>(size));
      rest = rest.subspan(size);
    }
    EXPECT_LE((frames.size() - before) * 1920, 9000u);
  }
  EXPECT_LT(file.pes[257].size() * 3, frames.size() + 10);
  std::vector<ByteVector> wanted;
  for (const Unit &unit : units) {
    if (unit.track == 1) wanted.push_back(unit.units[0]);
  }
  EXPECT_EQ(frames, wanted);
}

TEST(MpegTs, AGapInAudioBeginsAPacket) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::MpegTs, {aac_track()});
  for (Nanoseconds at : {0, 64, 128, 149}) ASSERT_TRUE(feed(segmenter, frame(at * kMillisecond, 0), made));
  segmenter.flush(made);
  TsFile file = read_ts(segment_bytes(made));
  ASSERT_EQ(file.pes[257].size(), 3u);
  EXPECT_EQ(file.pes[257][1].pts, 900000u + 64 * 90);
  EXPECT_EQ(file.pes[257][2].pts, 900000u + 128 * 90);
}

} // namespace
} // namespace sluice::hls
