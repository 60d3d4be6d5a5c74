#include "tests/unit/hls/mux_harness.h"

namespace sluice::hls {
namespace {

constexpr uint64_t kTenSeconds90k = 900000; // what is added to a stream's time
constexpr Nanoseconds kPart = 200 * kMillisecond;

// --- cutting ---

TEST(Segmenter, CutsAtKeyFramesOnceTheDurationIsReached) {
  for (Variant variant : {Variant::MpegTs, Variant::Fmp4, Variant::LowLatency}) {
    Recorder made;
    Segmenter segmenter = make_segmenter(variant, {h264_track(), aac_track()},
                                         variant == Variant::LowLatency ? kPart : 0, 1500 * kMillisecond);
    feed(segmenter, stream(7 * kSecond), made);
    segmenter.flush(made);
    ASSERT_EQ(made.segments.size(), 4u);
    for (size_t i = 0; i < 4; i++) {
      const Segment &segment = made.segments[i].segment;
      EXPECT_EQ(segment.number, first_segment(variant) + i);
      EXPECT_EQ(segment.duration, i < 3 ? 2 * kSecond : kSecond);
      EXPECT_FALSE(segment.discontinuity);
      EXPECT_EQ(segment.initialisation, 0u);
    }
  }
}

TEST(Segmenter, TakesAKeyFrameThatComesALittleEarly) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track()});
  std::vector<Unit> units;
  for (int i = 0; i < 100; i++) units.push_back(picture(i * kFrame + (i % 2) * kMillisecond, i % 25 == 0));
  feed(segmenter, units, made);
  segmenter.flush(made);
  EXPECT_EQ(made.segments.size(), 4u);
}

TEST(Segmenter, BeginsWithTheFirstKeyFrameAndTheAudioAfterIt) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track(), aac_track()});
  std::vector<Unit> units = stream(3 * kSecond);
  units.erase(units.begin()); // the key frame at 0
  feed(segmenter, units, made);
  segmenter.flush(made);
  ASSERT_EQ(made.segments.size(), 2u);
  auto tracks = read_mp4(made.segments[0].bytes);
  EXPECT_EQ(tracks[1].front().dts, 11 * 90000u);
  EXPECT_TRUE(tracks[1].front().sync);
  EXPECT_GE(tracks[2].front().dts, 11 * 48000u);
  EXPECT_LT(tracks[2].front().dts, 11 * 48000u + 1024u);
}

TEST(Segmenter, CutsAudioAloneByDuration) {
  for (Variant variant : {Variant::MpegTs, Variant::Fmp4, Variant::LowLatency}) {
    Recorder made;
    Segmenter segmenter = make_segmenter(variant, {aac_track()}, variant == Variant::LowLatency ? kPart : 0);
    feed(segmenter, stream(5 * kSecond, kSecond, false), made);
    segmenter.flush(made);
    ASSERT_EQ(made.segments.size(), 5u);
    for (const Recorder::Made &segment : made.segments) {
      EXPECT_NEAR(static_cast<double>(segment.segment.duration), kSecond, 22e6);
      for (const Part &part : segment.parts) EXPECT_TRUE(part.independent);
    }
    EXPECT_FALSE(segmenter.facts().has_video);
    EXPECT_EQ(segmenter.facts().codecs, "mp4a.40.2");
  }
}

TEST(Segmenter, MakesPartsOfTheWantedDuration) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track(), aac_track()}, kPart);
  feed(segmenter, stream(4 * kSecond), made);
  segmenter.flush(made);
  ASSERT_EQ(made.segments.size(), 4u);
  EXPECT_EQ(segmenter.facts().part_target, kPart);
  uint64_t number = 0;
  for (const Recorder::Made &segment : made.segments) {
    ASSERT_EQ(segment.parts.size(), 5u);
    EXPECT_EQ(segment.segment.first_part, number);
    for (size_t i = 0; i < 5; i++) {
      EXPECT_EQ(segment.parts[i].duration, kPart);
      EXPECT_EQ(segment.parts[i].independent, i == 0);
      EXPECT_EQ(segment.part_numbers[i], number++);
    }
  }
}

TEST(Segmenter, FinishesAPartWithThePictureThatFollowsIt) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track()}, kPart);
  std::vector<Unit> units = stream(kSecond, kSecond, true, false);
  for (size_t i = 0; i < 6; i++) ASSERT_TRUE(feed(segmenter, units[i], made));
  EXPECT_EQ(made.parts.size(), 1u);
}

TEST(Segmenter, PartsWithUnevenPicturesObeyTheTargetOfTheirTime) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track()}, kPart);
  Nanoseconds now = 0;
  uint32_t random = 7;
  for (int i = 0; i < 2000; i++) {
    ASSERT_TRUE(feed(segmenter, picture(now, i % 40 == 0), made));
    random = random * 1664525 + 1013904223;
    now += (random >> 8) % 70 * kMillisecond + kMillisecond;
  }
  segmenter.flush(made);
  size_t index = 0;
  for (const Recorder::Made &segment : made.segments) {
    for (size_t i = 0; i < segment.parts.size(); i++, index++) {
      EXPECT_LE(segment.parts[i].duration, made.targets[index] + 1);
      if (i + 1 < segment.parts.size()) {
        EXPECT_GE(segment.parts[i].duration * 100 + 100, made.targets[index] * 85);
      }
    }
  }
  EXPECT_GT(index, 200u);
}

TEST(Segmenter, TellsTheWallClock) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track()});
  segmenter.set_wall_offset(1'700'000'000 * kSecond);
  feed(segmenter, stream(3 * kSecond, kSecond, true, false), made);
  ASSERT_EQ(made.segments.size(), 3u);
  EXPECT_EQ(made.segments[2].segment.start_wall, 1'700'000'002 * kSecond);
}

// --- times ---

TEST(Segmenter, KeepsTheTimesOfPicturesThatAreReordered) {
  for (Variant variant : {Variant::MpegTs, Variant::LowLatency}) {
    Recorder made;
    Segmenter segmenter = make_segmenter(variant, {h264_track()}, variant == Variant::LowLatency ? kPart : 0);
    // IBBP: DTS begins two frames before the first PTS, which is 0.
    std::vector<Nanoseconds> wanted;
    for (int i = 0; i < 50; i++) {
      Nanoseconds pts = (i == 0 ? 0 : i % 3 == 1 ? i + 2 : i - 1) * kFrame;
      Unit unit = picture((i - 2) * kFrame, i == 0);
      unit.pts = pts;
      wanted.push_back(pts);
      ASSERT_TRUE(feed(segmenter, unit, made));
    }
    segmenter.flush(made);
    ByteVector all;
    for (const Recorder::Made &segment : made.segments)
      all.insert(all.end(), segment.bytes.begin(), segment.bytes.end());
    std::vector<std::pair<uint64_t, uint64_t>> times; // DTS, PTS
    if (variant == Variant::MpegTs) {
      TsFile file = read_ts(all);
      for (const TsPes &pes : file.pes[256]) times.emplace_back(pes.dts.value_or(pes.pts), pes.pts);
    } else {
      auto tracks = read_mp4(all);
      for (const Mp4Sample &sample : tracks[1]) times.emplace_back(sample.dts, sample.pts);
    }
    ASSERT_EQ(times.size(), 50u);
    for (size_t i = 0; i < 50; i++) {
      EXPECT_EQ(times[i].first, kTenSeconds90k + i * 3600 - 7200);
      EXPECT_EQ(times[i].second, kTenSeconds90k + static_cast<uint64_t>(wanted[i] / 100000 * 9));
    }
  }
}

TEST(Segmenter, KeepsAudioInStepToTheSample) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track(), aac_track()}, kPart);
  feed(segmenter, stream(5 * kSecond), made);
  segmenter.flush(made);
  uint64_t next = 10 * 48000;
  size_t count = 0;
  for (const Recorder::Made &segment : made.segments) {
    auto tracks = read_mp4(segment.bytes);
    for (const Mp4Sample &sample : tracks[2]) {
      EXPECT_EQ(sample.dts, next);
      EXPECT_EQ(sample.duration, 1024u);
      next += 1024;
      count++;
    }
  }
  EXPECT_EQ(count, 235u);
}

TEST(Segmenter, GivesPicturesWithTheSameDtsTheirOrder) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track()});
  for (Nanoseconds dts : {0, 40, 40, 40, 80, 120})
    ASSERT_TRUE(feed(segmenter, picture(dts * kMillisecond, dts == 0), made));
  segmenter.flush(made);
  auto samples = read_mp4(made.segments.at(0).bytes)[1];
  ASSERT_EQ(samples.size(), 6u);
  for (size_t i = 1; i < 6; i++) EXPECT_GT(samples[i].dts, samples[i - 1].dts);
  EXPECT_EQ(samples[3].pts, static_cast<int64_t>(kTenSeconds90k + 3600)); // PTS is what it was
}

TEST(Segmenter, GoesOnAsADiscontinuityWhereTimeJumps) {
  for (Nanoseconds jump : {-kSecond, 3600 * kSecond}) {
    for (Variant variant : {Variant::MpegTs, Variant::Fmp4, Variant::LowLatency}) {
      Recorder made;
      Segmenter segmenter =
          make_segmenter(variant, {h264_track(), aac_track()}, variant == Variant::LowLatency ? kPart : 0);
      std::vector<Unit> units = stream(3500 * kMillisecond);
      std::vector<Unit> more = stream(2 * kSecond);
      for (Unit &unit : more) {
        unit.pts += 3500 * kMillisecond + jump;
        unit.dts += 3500 * kMillisecond + jump;
        unit.source += 10000;
      }
      feed(segmenter, units, made);
      feed(segmenter, more, made);
      segmenter.flush(made);
      ASSERT_EQ(made.segments.size(), 6u);
      for (size_t i = 0; i < 6; i++) EXPECT_EQ(made.segments[i].segment.discontinuity, i == 4);
      EXPECT_EQ(made.segments[3].segment.duration, 520 * kMillisecond); // 13 pictures
      if (variant == Variant::MpegTs) {
        EXPECT_TRUE(read_ts(made.segments[4].bytes).discontinuity);
        EXPECT_FALSE(read_ts(made.segments[5].bytes).discontinuity);
        EXPECT_GT(read_ts(made.segments[4].bytes).pes[257].size(), 5u); // audio goes on, too
      } else {
        EXPECT_GT(read_mp4(made.segments[4].bytes)[2].size(), 40u);
        EXPECT_EQ(made.initialisations.size(), 1u); // nothing else has changed
      }
    }
  }
}

TEST(Segmenter, WaitsForAKeyFrameAfterAJump) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track()});
  feed(segmenter, stream(500 * kMillisecond, kSecond, true, false), made);
  std::vector<Unit> late = {picture(100 * kSecond, false), picture(100 * kSecond + kFrame, true),
                            picture(100 * kSecond + 2 * kFrame, false)};
  feed(segmenter, late, made);
  segmenter.flush(made);
  ASSERT_EQ(made.segments.size(), 2u);
  EXPECT_EQ(read_mp4(made.segments[1].bytes)[1].size(), 2u);
  EXPECT_EQ(read_mp4(made.segments[1].bytes)[1][0].dts, 110 * 90000u + 3600u);
}

TEST(Segmenter, MuxesOnWhereAudioPauses) {
  for (Variant variant : {Variant::MpegTs, Variant::LowLatency}) {
    Recorder made;
    Segmenter segmenter =
        make_segmenter(variant, {h264_track(), aac_track()}, variant == Variant::LowLatency ? kPart : 0);
    for (const Unit &unit : stream(20 * kSecond)) {
      bool pause = unit.track == 1 && unit.pts > 2 * kSecond && unit.pts < 17 * kSecond;
      if (!pause) {
        ASSERT_TRUE(feed(segmenter, unit, made));
      }
    }
    segmenter.flush(made);
    ASSERT_EQ(made.segments.size(), 20u);
    for (const Recorder::Made &segment : made.segments) EXPECT_FALSE(segment.segment.discontinuity);
    if (variant == Variant::MpegTs) {
      EXPECT_EQ(read_ts(made.segments[10].bytes).pes.count(257), 0u);
      EXPECT_GT(read_ts(made.segments[18].bytes).pes[257].size(), 10u);
    } else {
      EXPECT_EQ(read_mp4(made.segments[10].bytes).count(2), 0u);
      EXPECT_EQ(read_mp4(made.segments[3].bytes).count(2), 0u); // what was pending came out in time
      EXPECT_GE(read_mp4(made.segments[18].bytes)[2].size(), 46u);
    }
  }
}

// --- parameters ---

TEST(Segmenter, CutsWhereParametersChange) {
  for (Variant variant : {Variant::MpegTs, Variant::Fmp4, Variant::LowLatency}) {
    Recorder made;
    Segmenter segmenter =
        make_segmenter(variant, {h264_track(), aac_track()}, variant == Variant::LowLatency ? kPart : 0);
    std::vector<Unit> units = stream(2 * kSecond, 500 * kMillisecond);
    media::ParameterSets sets = h264_track().sets;
    sets.sps = hex(kOtherSps);
    for (Unit &unit : units) {
      if (unit.track == 0 && unit.dts == 520 * kMillisecond) {
        unit.units.insert(unit.units.begin(), {sets.sps, sets.pps});
        unit.sets = sets;
      }
      if (unit.track == 0) unit.random_access = unit.dts == 0 || unit.dts == 520 * kMillisecond;
    }
    feed(segmenter, units, made);
    segmenter.flush(made);
    ASSERT_EQ(made.segments.size(), 2u);
    EXPECT_EQ(made.segments[0].segment.duration, 520 * kMillisecond);
    EXPECT_TRUE(made.segments[1].segment.discontinuity);
    EXPECT_EQ(segmenter.facts().width, 1920u);
    EXPECT_EQ(segmenter.facts().codecs, "avc1.4d4028,mp4a.40.2");
    if (variant == Variant::MpegTs) continue;
    ASSERT_EQ(made.initialisations.size(), 2u);
    EXPECT_EQ(made.segments[1].segment.initialisation, 1u);
    Bytes description = find_box(made.initialisations[1], "moov/trak/mdia/minf/stbl/stsd", 0);
    EXPECT_NE(as_text(description).find(as_text(sets.sps)), std::string_view::npos);
    // They are in the section, so not in the picture.
    EXPECT_EQ(as_text(made.segments[1].bytes).find(as_text(sets.sps)), std::string_view::npos);
  }
}

TEST(Segmenter, WaitsForTheFormatThatFramesTell) {
  SegmenterTrack mp3{{media::MediaKind::Audio, media::Codec::MpegAudio, 14, 90000, 0, "MPA", ""}, {}};
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track(), mp3});
  ByteVector data(417);
  data[0] = 0xff, data[1] = 0xfb, data[2] = 0x90; // 44.1 kHz, 128 kbit/s
  std::vector<Unit> units = stream(6 * kSecond);
  for (Unit &unit : units) {
    if (unit.track == 1) unit.units = {data};
  }
  feed(segmenter, units, made);
  segmenter.flush(made);
  ASSERT_EQ(made.segments.size(), 5u);
  EXPECT_EQ(segmenter.facts().codecs, "avc1.64001f,mp4a.40.34");
  EXPECT_EQ(load_be32(find_box(made.initialisations[0], "moov/trak/mdia/mdhd", 1).data() + 12), 44100u);

  Recorder silent; // no frame of it comes at all
  Segmenter other = make_segmenter(Variant::Fmp4, {h264_track(), mp3});
  feed(other, stream(6 * kSecond, kSecond, true, false), silent);
  other.flush(silent);
  ASSERT_EQ(silent.segments.size(), 3u);
  EXPECT_EQ(other.facts().codecs, "avc1.64001f");
}

TEST(Segmenter, TellsPictureSizeAndRate) {
  Recorder made;
  Segmenter segmenter = make_segmenter(Variant::Fmp4, {h264_track(), aac_track()});
  feed(segmenter, stream(kSecond), made);
  Segmenter::Facts facts = segmenter.facts();
  EXPECT_TRUE(facts.has_video);
  EXPECT_EQ(facts.width, 1280u);
  EXPECT_EQ(facts.height, 718u);
  EXPECT_EQ(facts.frame_rate, 25);
  EXPECT_EQ(facts.codecs, "avc1.64001f,mp4a.40.2");
}

// --- limits ---

TEST(Segmenter, FailsBeyondTheMaximumSegmentSize) {
  for (Variant variant : {Variant::MpegTs, Variant::Fmp4, Variant::LowLatency}) {
    SegmenterSettings settings;
    settings.variant = variant;
    settings.part_duration = variant == Variant::LowLatency ? kPart : 0;
    settings.max_segment_bytes = 100'000;
    Segmenter segmenter = Segmenter::create(settings, {h264_track()}).value();
    Recorder made;
    feed(segmenter, stream(3 * kSecond, kSecond, true, false), made); // 20 KB each
    Result<void> pushed;
    int count = 0;
    for (; pushed && count < 1000; count++)
      pushed = feed(segmenter, picture(3 * kSecond + count * kFrame, false, 1000), made);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().message, "reached maximum segment size");
    EXPECT_LT(count, 100);
    EXPECT_FALSE(feed(segmenter, picture(100 * kSecond, true), made));
  }
}

TEST(Segmenter, CountsWhatFillsTimesWithoutPictures) {
  Segmenter segmenter =
      Segmenter::create({.variant = Variant::MpegTs, .max_segment_bytes = 1'000'000}, {h264_track()}).value();
  Recorder made;
  Result<void> pushed;
  int count = 0;
  for (; pushed && count < 1000; count++) pushed = feed(segmenter, picture(count * 9 * kSecond, count == 0, 10), made);
  EXPECT_FALSE(pushed);
  EXPECT_LT(count, 100); // each takes a hundred packets
}

TEST(Segmenter, RefusesWhatTheVariantCantHave) {
  SegmenterTrack opus{{media::MediaKind::Audio, media::Codec::Opus, 97, 48000, 2, "opus", ""}, {}};
  EXPECT_FALSE(Segmenter::create({.variant = Variant::MpegTs}, {h264_track(), opus}));
  EXPECT_TRUE(Segmenter::create({.variant = Variant::Fmp4}, {h264_track(), opus}));
  EXPECT_FALSE(Segmenter::create({.variant = Variant::Fmp4}, {h264_track(), h264_track()}));
  EXPECT_FALSE(Segmenter::create({.variant = Variant::Fmp4}, {}));
  SegmenterTrack short_frames = aac_track();
  short_frames.track.fmtp = "sizelength=13; indexlength=3; indexdeltalength=3; config=1194"; // 960 samples
  EXPECT_FALSE(Segmenter::create({.variant = Variant::MpegTs}, {short_frames}));
}

} // namespace
} // namespace sluice::hls
