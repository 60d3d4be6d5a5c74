#include "mp4_builder.h"
#include "workers/hls/demux/mp4_reader.h"

#include <gmock/gmock.h>

namespace sluice::hls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string read_into(DemuxRecord &record, const std::vector<ByteVector> &files, size_t piece = SIZE_MAX) {
  Mp4Reader reader;
  for (const ByteVector &file : files) {
    for (Bytes rest(file); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
      auto pushed = reader.push(rest.first(std::min(piece, rest.size())), record);
      if (!pushed) return pushed.error().message;
    }
    reader.end_file(record);
  }
  return "";
}

DemuxRecord read(const std::vector<ByteVector> &files, size_t piece = SIZE_MAX) {
  DemuxRecord record;
  EXPECT_EQ(read_into(record, files, piece), "");
  return record;
}

std::string error(const ByteVector &file) {
  DemuxRecord record;
  return read_into(record, {file});
}

// moof and mdat; `trafs` is called with the distance from the moof to the data.
template <class Trafs> ByteVector fragment(Trafs trafs, const ByteVector &data) {
  ByteVector mfhd = full_box("mfhd", 0, 0, be32(1));
  ByteVector moof = box("moof", mfhd + trafs(0));
  return box("moof", mfhd + trafs(moof.size() + 8)) + box("mdat", data);
}

ByteVector idr() {
  return nal_sample(true, 100, 1);
}
ByteVector other(uint8_t content) {
  return nal_sample(false, 50, content);
}
ByteVector unit(const ByteVector &sample) {
  return {sample.begin() + 4, sample.end()};
}

// Three pictures, the second one shown last, and two frames of audio.
ByteVector usual_fragment(uint64_t video_time = 90'000, uint64_t audio_time = 48'000) {
  ByteVector data = idr() + other(2) + other(3) + ByteVector(30, 7) + ByteVector(40, 8);
  return fragment(
      [&](size_t start) {
        ByteVector video = full_box("tfhd", 0, 0x20000, be32(1)) + tfdt(video_time) +
                           full_box("trun", 1, 0xa05,
                                    be32(3) + be32(start) + be32(kKeyFlags) + be32(104) + be32(3000) + be32(54) +
                                        be32(6000) + be32(54) + be32(static_cast<uint32_t>(-3000)));
        ByteVector audio = full_box("tfhd", 0, 0x20000, be32(2)) + tfdt(audio_time) +
                           full_box("trun", 0, 0x201, be32(2) + be32(start + 212) + be32(30) + be32(40));
        return box("traf", video) + box("traf", audio);
      },
      data);
}

TEST(Mp4Reader, FindsTracksAndTheirUnits) {
  DemuxRecord record = read({usual_movie(), usual_fragment()});
  EXPECT_THAT(record.events, ElementsAre("tracks 2", "track 0 H264", "track 1 mpeg4-generic"));
  EXPECT_EQ(media::parse_parameter_sets(record.tracks[0].track).value(), h264_sets());
  EXPECT_THAT(record.tracks[0].configuration, ElementsAre(h264_sets().sps, h264_sets().pps));
  auto video = record.of(0);
  ASSERT_EQ(video.size(), 3U);
  EXPECT_EQ(video[0], (RecordedUnit{0, {unit(idr())}, kSecond * 31 / 30, kSecond, true, false}));
  EXPECT_EQ(video[1], (RecordedUnit{0, {unit(other(2))}, kSecond * 33 / 30, kSecond * 31 / 30, false, false}));
  EXPECT_EQ(video[2], (RecordedUnit{0, {unit(other(3))}, kSecond * 31 / 30, kSecond * 32 / 30, false, false}));
  auto audio = record.of(1);
  ASSERT_EQ(audio.size(), 2U);
  EXPECT_EQ(audio[0], (RecordedUnit{1, {ByteVector(30, 7)}, kSecond, kSecond, true, false}));
  EXPECT_EQ(audio[1].dts_ns, kSecond + 1024 * kSecond / 48'000);
  // all in the order of decoding
  std::vector<size_t> order;
  for (const RecordedUnit &one : record.units) order.push_back(one.track);
  EXPECT_THAT(order, ElementsAre(0, 1, 1, 0, 0));
}

TEST(Mp4Reader, TakesBytesInAnyPieces) {
  ByteVector file = usual_movie() + usual_fragment() + usual_fragment(99'000, 50'048);
  DemuxRecord whole = read({file});
  EXPECT_EQ(whole.units.size(), 10U);
  for (size_t piece : {1, 7, 100, 1000}) {
    DemuxRecord pieces = read({file}, piece);
    EXPECT_EQ(pieces.units, whole.units) << piece;
    EXPECT_EQ(pieces.events, whole.events) << piece;
  }
}

TEST(Mp4Reader, IgnoresBoxesThatItDoesNotKnow) {
  ByteVector others = box("styp", be32(0)) + box("sidx", ByteVector(40)) + full_box("emsg", 1, 0, ByteVector(100)) +
                      box("prft", ByteVector(20)) + box("mdat", ByteVector(500));
  DemuxRecord plain = read({usual_movie(), usual_fragment()});
  for (size_t piece : {size_t{1}, size_t{64}, SIZE_MAX})
    EXPECT_EQ(read({usual_movie() + others, others + usual_fragment() + others}, piece).units, plain.units) << piece;
}

TEST(Mp4Reader, FindsDataBehindSeveralFragmentsAndOtherBoxes) {
  // moof, moof, free, mdat, mdat
  auto moof = [](uint64_t time, size_t start) {
    return box("moof",
               box("traf", full_box("tfhd", 0, 0x20000, be32(1)) + tfdt(time) +
                               full_box("trun", 0, 0x205, be32(1) + be32(start) + be32(kKeyFlags) + be32(104))));
  };
  size_t size = moof(0, 0).size();
  ByteVector free_box = box("free", ByteVector(12));
  ByteVector file = moof(0, 2 * size + 20 + 8) + moof(3000, size + 20 + 8 + 104 + 8) + free_box +
                    box("mdat", nal_sample(true, 100, 1)) + box("mdat", nal_sample(true, 100, 2));
  for (size_t piece : {size_t{1}, size_t{50}, SIZE_MAX}) {
    auto video = read({usual_movie(), file}, piece).of(0);
    ASSERT_EQ(video.size(), 2U) << piece;
    EXPECT_THAT(video[0].units, ElementsAre(unit(nal_sample(true, 100, 1))));
    EXPECT_THAT(video[1].units, ElementsAre(unit(nal_sample(true, 100, 2))));
  }
}

TEST(Mp4Reader, FollowsTheRulesForWhereDataBegin) {
  // No offset in the second run and in the second track: each goes on where the one before ended.
  ByteVector data = idr() + other(2) + ByteVector(30, 7);
  ByteVector relative = fragment(
      [&](size_t start) {
        ByteVector first = full_box("trun", 0, 0x205, be32(1) + be32(start) + be32(kKeyFlags) + be32(104));
        ByteVector second = full_box("trun", 0, 0x200, be32(1) + be32(54));
        return box("traf", full_box("tfhd", 0, 0, be32(1)) + tfdt(0) + first + second) +
               box("traf", full_box("tfhd", 0, 0, be32(2)) + tfdt(0) + full_box("trun", 0, 0x200, be32(1) + be32(30)));
      },
      data);
  DemuxRecord record = read({usual_movie(), relative});
  ASSERT_EQ(record.of(0).size(), 2U);
  EXPECT_THAT(record.of(0)[1].units, ElementsAre(unit(other(2))));
  EXPECT_THAT(record.of(1)[0].units, ElementsAre(ByteVector(30, 7)));
  // An offset from the beginning of the file, which may be a range of a larger one.
  ByteVector absolute = fragment(
      [&](size_t start) {
        return box("traf", full_box("tfhd", 0, 1, be32(1) + be64(5000 + start)) + tfdt(0) +
                               full_box("trun", 0, 0x204, be32(1) + be32(kKeyFlags) + be32(104)));
      },
      idr());
  Mp4Reader reader;
  DemuxRecord far;
  ASSERT_TRUE(reader.push(usual_movie(), far).has_value());
  reader.end_file(far, 5000);
  ASSERT_TRUE(reader.push(absolute, far).has_value());
  ASSERT_EQ(far.units.size(), 1U);
  EXPECT_THAT(far.units[0].units, ElementsAre(unit(idr())));
}

TEST(Mp4Reader, UsesDefaultsOfFragmentAndMovie) {
  ByteVector movie = moov(trak(1, 90'000, avc_entry()), trex(1, 3000, 54, 0x0101'0000));
  auto with = [&](uint32_t flags, const ByteVector &fields) {
    return fragment(
        [&](size_t start) {
          return box("traf", full_box("tfhd", 0, 0x20000 | flags, be32(1) + fields) +
                                 full_box("trun", 0, 1, be32(2) + be32(start)));
        },
        other(1) + other(2));
  };
  auto video = read({movie, with(0, {}), with(0x38, be32(6000) + be32(54) + be32(kKeyFlags))}).of(0);
  ASSERT_EQ(video.size(), 4U);
  EXPECT_EQ(video[0].dts_ns, 0); // there is no tfdt: times go on
  EXPECT_FALSE(video[0].random_access);
  EXPECT_EQ(video[1].dts_ns, kSecond / 30);
  EXPECT_EQ(video[2].dts_ns, kSecond * 2 / 30);
  EXPECT_TRUE(video[2].random_access);
  EXPECT_EQ(video[3].dts_ns, kSecond * 4 / 30);
}

TEST(Mp4Reader, ShiftsTimesAsTheEditListSays) {
  ByteVector edit = box(
      "edts", full_box("elst", 0, 0,
                       be32(2) + be32(500) + be32(0xffffffff) + be32(0x10000) + be32(0) + be32(9000) + be32(0x10000)));
  ByteVector movie = moov(trak(1, 90'000, avc_entry(), edit) + trak(2, 48'000, aac_entry()),
                          trex(1, 3000, 0, 0x0101'0000) + trex(2, 1024, 0, 0));
  DemuxRecord record = read({movie, usual_fragment()});
  EXPECT_EQ(record.of(0)[0].dts_ns, kSecond + 400 * kMillisecond);
  EXPECT_EQ(record.of(1)[0].dts_ns, kSecond);
}

TEST(Mp4Reader, UnrollsShortDecodeTimes) {
  auto at = [](uint32_t time) {
    return fragment(
        [&](size_t start) {
          return box("traf", full_box("tfhd", 0, 0x20000, be32(1)) + full_box("tfdt", 0, 0, be32(time)) +
                                 full_box("trun", 0, 0x205, be32(1) + be32(start) + be32(kKeyFlags) + be32(104)));
        },
        idr());
  };
  auto video = read({usual_movie(), at(0xffffffffU - 2999), at(0), at(90'000)}).of(0);
  ASSERT_EQ(video.size(), 3U);
  EXPECT_NEAR(video[1].dts_ns - video[0].dts_ns, kSecond / 30, 1);
  EXPECT_EQ(video[2].dts_ns - video[1].dts_ns, kSecond);
}

TEST(Mp4Reader, TellsTracksAgainWhenTheMovieChanges) {
  ByteVector audio_only = moov(trak(2, 48'000, aac_entry()), trex(2, 1024, 0, 0));
  DemuxRecord record =
      read({usual_movie(), usual_fragment(), usual_movie(), usual_fragment(), audio_only, usual_fragment()});
  EXPECT_THAT(record.events,
              ElementsAre("tracks 2", "track 0 H264", "track 1 mpeg4-generic", "tracks 1", "track 0 mpeg4-generic"));
  EXPECT_EQ(record.units.size(), 5U + 5U + 2U);
}

TEST(Mp4Reader, LearnsParameterSetsFromSamples) {
  ByteVector no_sets = {1, 0x64, 0, 0x0d, 0xff, 0xe0, 0};
  media::ParameterSets sets = h264_sets();
  ByteVector sample = be32(sets.sps.size()) + sets.sps + be32(sets.pps.size()) + sets.pps + idr();
  auto with = [](const ByteVector &data) {
    return fragment(
        [&](size_t start) {
          return box("traf", full_box("tfhd", 0, 0x20000, be32(1)) + tfdt(0) +
                                 full_box("trun", 0, 0x201, be32(1) + be32(start) + be32(data.size())));
        },
        data);
  };
  ByteVector movie = moov(trak(1, 90'000, video_entry("avc3", box("avcC", no_sets))), trex(1, 3000, 0, 0));
  DemuxRecord record = read({movie, with(other(1)), with(sample), with(idr())});
  EXPECT_THAT(record.events, ElementsAre("tracks 1", "track 0 H264"));
  EXPECT_EQ(media::parse_parameter_sets(record.tracks[0].track).value(), sets);
  ASSERT_EQ(record.units.size(), 2U);
  EXPECT_THAT(record.units[0].units, ElementsAre(sets.sps, sets.pps, unit(idr())));
  EXPECT_TRUE(record.units[0].after_loss); // the first one could not be decoded
  EXPECT_THAT(error(moov(trak(1, 90'000, video_entry("avc1", box("avcC", no_sets))))), HasSubstr("parameter set"));
}

TEST(Mp4Reader, DropsSamplesThatAreNotThere) {
  ByteVector cut = usual_fragment();
  cut.resize(cut.size() - 60); // in the middle of the first frame of audio: the mdat is not complete
  DemuxRecord record = read({usual_movie(), cut, usual_fragment()});
  EXPECT_EQ(record.of(0).size(), 6U);
  ASSERT_EQ(record.of(1).size(), 2U);
  EXPECT_TRUE(record.of(1)[0].after_loss);
  EXPECT_FALSE(record.of(1)[1].after_loss);
  // a NAL unit longer than its sample
  ByteVector wrong = usual_fragment();
  ByteVector second = other(2);
  auto place = std::search(wrong.begin(), wrong.end(), second.begin(), second.end());
  ASSERT_NE(place, wrong.end());
  *(place + 3) = 51;
  auto video = read({usual_movie(), wrong}).of(0);
  ASSERT_EQ(video.size(), 2U);
  EXPECT_TRUE(video[1].after_loss);
}

TEST(Mp4Reader, ReadsDataUntilTheEndOfTheFile) {
  ByteVector file = usual_fragment();
  auto mdat = std::search(file.begin(), file.end(), "mdat", "mdat" + 4);
  std::fill(mdat - 4, mdat, 0);
  EXPECT_EQ(read({usual_movie(), file}).units.size(), 5U);
}

TEST(Mp4Reader, RefusesWhatMakesNoSense) {
  EXPECT_THAT(error(usual_fragment()), HasSubstr("without initialisation section"));
  EXPECT_THAT(error(be32(7) + ByteVector{'f', 'r', 'e', 'e'}), HasSubstr("size of a box"));
  EXPECT_THAT(error(be32(kMaxMovie + 1) + ByteVector{'m', 'o', 'o', 'v'}), HasSubstr("size of moov"));
  EXPECT_THAT(error(usual_movie() + be32(0) + ByteVector{'m', 'o', 'o', 'f'}), HasSubstr("size of moof"));
  EXPECT_THAT(error(box("moov", ByteVector(100, 1))), HasSubstr("does not fit"));
  EXPECT_THAT(error(moov(trak(1, 90'000, video_entry("encv", {})))), HasSubstr("no tracks"));
  EXPECT_THAT(error(moov(trak(1, 0, avc_entry()))), HasSubstr("timescale"));
  auto with_trun = [](const ByteVector &trun) {
    return usual_movie() + box("moof", box("traf", full_box("tfhd", 0, 0x20000, be32(1)) + tfdt(0) + trun));
  };
  EXPECT_THAT(error(with_trun(full_box("trun", 0, 0x200, be32(1'000'000)))), HasSubstr("too many samples"));
  EXPECT_THAT(error(with_trun(full_box("trun", 0, 0x200, be32(2) + be32(1)))), HasSubstr("trun"));
  EXPECT_THAT(error(with_trun(full_box("trun", 0, 0x201, be32(1) + be32(0x80000000) + be32(1)))),
              HasSubstr("before the file"));
  EXPECT_THAT(error(usual_movie() + box("moof", box("traf", full_box("tfhd", 0, 0, be32(1)) + tfdt(UINT64_MAX)))),
              HasSubstr("tfdt"));
}

TEST(SampleEntries, OfAllCodecsAreRead) {
  auto parsed = [](const ByteVector &entry) {
    auto made = parse_sample_entry(load_be32(&entry[4]), Bytes(entry).subspan(8));
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return made.value_or(SampleEntry{});
  };
  EXPECT_EQ(parsed(avc_entry()).codec, media::Codec::H264);
  EXPECT_EQ(parsed(avc_entry()).length_size, 4);
  EXPECT_EQ(parsed(aac_entry()).track.track.channels, 2);
  EXPECT_EQ(parsed(audio_entry("mp4a", 1, 44'100, esds(0x6b, {}))).codec, media::Codec::MpegAudio);
  EXPECT_EQ(parsed(audio_entry("mp4a", 1, 44'100, esds(0xdd, {}))).codec, media::Codec::Other);
  ByteVector dops = box("dOps", {0, 1, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0});
  EXPECT_EQ(parsed(audio_entry("Opus", 1, 48'000, dops)).track.track.fmtp, "sprop-stereo=0");
  FoundTrack ac3 = parsed(audio_entry("ac-3", 2, 48'000, box("dac3", {0x10, 0x3d, 0x40}))).track;
  EXPECT_EQ(ac3.track.clock_rate, 48'000U);
  EXPECT_EQ(ac3.track.channels, 6); // acmod 7 and low frequencies
  ByteVector vpcc = full_box("vpcC", 1, 0, {1, 10, 0x82, 1, 1, 1, 0, 0});
  EXPECT_EQ(parsed(video_entry("vp09", vpcc)).track.track.fmtp, "profile-id=1");
  ByteVector av1c = {0x81, 0x00, 0x0c, 0x00};
  EXPECT_EQ(parsed(video_entry("av01", box("av1C", av1c))).codec, media::Codec::Av1);
  EXPECT_EQ(parsed(video_entry("dvh1", {})).codec, media::Codec::Other);
  for (const char *type : {"avc1", "hvc1", "av01", "vp09"}) {
    ByteVector entry = video_entry(type, {});
    EXPECT_FALSE(parse_sample_entry(load_be32(&entry[4]), Bytes(entry).subspan(8)).has_value()) << type;
    EXPECT_FALSE(parse_sample_entry(load_be32(&entry[4]), Bytes(entry).subspan(8, 20)).has_value()) << type;
  }
}

} // namespace
} // namespace sluice::hls
