#include "ts_builder.h"
#include "workers/hls/pull/media_buffer.h"
#include "workers/hls/pull/output_timeline.h"
#include "workers/hls/pull/pacer.h"
#include "workers/hls/pull/segment_reader.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

constexpr Nanoseconds kStep = 40 * kMillisecond;

TEST(OutputTimeline, BeginsAtZeroAndGoesOnAtDiscontinuities) {
  OutputTimeline timeline(1);
  size_t track = timeline.add_track();
  auto output = [&](uint64_t discontinuity, Nanoseconds dts) {
    return dts + timeline.shift(0, track, discontinuity, dts);
  };
  EXPECT_EQ(output(3, 100 * kSecond), 0);
  EXPECT_EQ(output(3, 100 * kSecond + kStep), kStep);
  EXPECT_EQ(output(4, 5 * kSecond), 2 * kStep);
  EXPECT_EQ(output(4, 5 * kSecond + kStep), 3 * kStep);
  EXPECT_EQ(timeline.jumps(), 0U);
}

TEST(OutputTimeline, KeepsRenditionsTogetherAcrossADiscontinuity) {
  OutputTimeline timeline(2);
  size_t video = timeline.add_track(), audio = timeline.add_track();
  EXPECT_EQ(timeline.shift(0, video, 0, 10 * kSecond), -10 * kSecond);
  EXPECT_EQ(timeline.shift(1, audio, 0, 10 * kSecond + kStep / 2), -10 * kSecond);
  timeline.shift(0, video, 0, 10 * kSecond + kStep);
  Nanoseconds shift = timeline.shift(0, video, 1, 90 * kSecond);
  EXPECT_EQ(timeline.shift(1, audio, 1, 90 * kSecond + kMillisecond), shift);
}

TEST(OutputTimeline, ClosesJumpsThatNobodyTold) {
  OutputTimeline timeline(1);
  size_t track = timeline.add_track();
  auto output = [&](Nanoseconds dts) { return dts + timeline.shift(0, track, 0, dts); };
  output(0);
  output(kStep);
  EXPECT_EQ(output(1000 * kSecond), 2 * kStep);
  EXPECT_EQ(output(500 * kSecond), 3 * kStep);
  EXPECT_EQ(timeline.jumps(), 2U);
  EXPECT_EQ(output(505 * kSecond), 5 * kSecond + 3 * kStep); // a gap
  EXPECT_EQ(timeline.jumps(), 2U);
}

TEST(OutputTimeline, NeverGoesBack) {
  OutputTimeline timeline(2);
  size_t video = timeline.add_track(), audio = timeline.add_track();
  timeline.shift(0, video, 0, 0);
  timeline.shift(1, audio, 0, 0);
  timeline.shift(1, audio, 0, kSecond);
  timeline.shift(0, video, 1, 50 * kSecond);
  Nanoseconds earlier = 49 * kSecond;
  EXPECT_GT(earlier + timeline.shift(1, audio, 1, earlier), kSecond);
}

TEST(Pacer, PlaysAsFastAsMediaTime) {
  Pacer pacer;
  pacer.start(0, 100 * kSecond);
  EXPECT_EQ(pacer.due(5 * kSecond), 105 * kSecond);
  pacer.on_sent(5 * kSecond, 105 * kSecond + Pacer::kTolerance);
  EXPECT_EQ(pacer.due(6 * kSecond), 106 * kSecond);
}

TEST(Pacer, MovesWhatFollowsALateUnit) {
  Pacer pacer;
  pacer.start(0, 100 * kSecond);
  pacer.on_sent(5 * kSecond, 107 * kSecond);
  EXPECT_EQ(pacer.due(6 * kSecond), 108 * kSecond);
}

TEST(Pacer, MakesUpForWhatItIsBehind) {
  Pacer pacer;
  pacer.start(0, 100 * kSecond);
  pacer.on_ahead(12 * kSecond, 12 * kSecond, 110 * kSecond);
  EXPECT_FALSE(pacer.fast());
  pacer.on_ahead(16 * kSecond, 12 * kSecond, 110 * kSecond);
  EXPECT_TRUE(pacer.fast());
  EXPECT_EQ(pacer.due(10 * kSecond), 110 * kSecond);
  EXPECT_EQ(pacer.due(30 * kSecond), 129 * kSecond);
  pacer.on_ahead(13 * kSecond, 12 * kSecond, 120 * kSecond);
  EXPECT_TRUE(pacer.fast());
  pacer.on_ahead(12 * kSecond, 12 * kSecond, 129 * kSecond);
  EXPECT_FALSE(pacer.fast());
  EXPECT_NEAR(static_cast<double>(pacer.due(30 * kSecond)), 129e9, 1e3);
  EXPECT_NEAR(static_cast<double>(pacer.due(31 * kSecond)), 130e9, 1e3);
}

FoundTrack found(media::MediaKind kind, media::Codec codec, const char *name) {
  return {{kind, codec, 96, 90000, 0, name, {}}, {}};
}
const FoundTrack kVideo = found(media::MediaKind::Video, media::Codec::H264, "H264");
const FoundTrack kAudio = found(media::MediaKind::Audio, media::Codec::Aac, "mpeg4-generic");

void put(DemuxSink &sink, size_t index, Nanoseconds dts, size_t size = 10) {
  ByteVector data(size, 1);
  std::vector<Bytes> units{data};
  sink.on_access_unit(index, {.units = units, .pts_ns = dts, .dts_ns = dts, .random_access = true});
}

TEST(MediaBuffer, WaitsUntilAllTracksAreKnown) {
  MediaBuffer buffer(1);
  DemuxSink &sink = buffer.sink(0);
  EXPECT_FALSE(buffer.settle());
  sink.on_tracks(2);
  sink.on_track(1, kAudio);
  EXPECT_FALSE(buffer.settle());
  sink.on_track(0, kVideo);
  ASSERT_TRUE(buffer.settle());
  ASSERT_EQ(buffer.tracks().size(), 2U);
  EXPECT_EQ(buffer.tracks()[0].track.encoding, "H264"); // video first
  EXPECT_EQ(buffer.tracks()[0].track.payload_type, 96);
  EXPECT_EQ(buffer.tracks()[1].track.payload_type, 97);
}

TEST(MediaBuffer, WaitsForNoTrackLongerThanASegment) {
  MediaBuffer buffer(1);
  buffer.sink(0).on_tracks(2);
  buffer.sink(0).on_track(0, kVideo);
  EXPECT_FALSE(buffer.settle());
  EXPECT_TRUE(buffer.on_segment_end(0));
  EXPECT_TRUE(buffer.settle());
  EXPECT_EQ(buffer.tracks().size(), 1U);
}

TEST(MediaBuffer, SaysWhenASegmentHasNothingForIt) {
  MediaBuffer buffer(1);
  EXPECT_EQ(buffer.on_segment_end(0).error().message, "the stream has no tracks of codecs that are supported");
}

TEST(MediaBuffer, PrefersAudioThatHasARenditionOfItsOwn) {
  MediaBuffer buffer(2);
  buffer.sink(0).on_tracks(2);
  buffer.sink(0).on_track(0, kVideo);
  buffer.sink(0).on_track(1, kAudio);
  put(buffer.sink(0), 1, 0);
  EXPECT_FALSE(buffer.settle()); // the other rendition has told nothing
  buffer.sink(1).on_tracks(1);
  buffer.sink(1).on_track(0, kAudio);
  ASSERT_TRUE(buffer.settle());
  EXPECT_EQ(buffer.tracks().size(), 2U);
  EXPECT_TRUE(buffer.empty());
  put(buffer.sink(0), 1, kStep);
  EXPECT_TRUE(buffer.empty());
  put(buffer.sink(1), 0, kStep);
  EXPECT_EQ(buffer.next(), std::optional<size_t>(1));
}

TEST(MediaBuffer, GivesUnitsInOrderOfTime) {
  MediaBuffer buffer(1);
  DemuxSink &sink = buffer.sink(0);
  sink.on_tracks(2);
  sink.on_track(0, kVideo);
  sink.on_track(1, kAudio);
  buffer.settle();
  put(sink, 0, 0);
  put(sink, 0, 2 * kStep);
  put(sink, 1, kStep);
  EXPECT_EQ(buffer.buffered(0), 0);
  std::vector<std::pair<size_t, Nanoseconds>> taken;
  while (auto track = buffer.next()) taken.emplace_back(*track, buffer.take(*track).dts_ns);
  EXPECT_EQ(taken, (std::vector<std::pair<size_t, Nanoseconds>>{{0, 0}, {1, kStep}, {0, 2 * kStep}}));
  EXPECT_TRUE(buffer.empty());
}

TEST(MediaBuffer, FindsTracksAgainThatAreToldInAnotherOrder) {
  MediaBuffer buffer(1);
  DemuxSink &sink = buffer.sink(0);
  sink.on_tracks(2);
  sink.on_track(0, kVideo);
  sink.on_track(1, kAudio);
  buffer.settle();
  sink.on_tracks(2);
  sink.on_track(0, kAudio);
  FoundTrack other = kVideo;
  other.track.fmtp = "changed";
  sink.on_track(1, other);
  put(sink, 1, 0);
  ASSERT_EQ(buffer.next(), std::optional<size_t>(0));
  BufferedUnit unit = buffer.take(0);
  ASSERT_NE(unit.change, nullptr);
  EXPECT_EQ(unit.change->track.fmtp, "changed");
  EXPECT_TRUE(buffer.check());
}

TEST(MediaBuffer, SaysWhenACodecChanges) {
  MediaBuffer buffer(1);
  buffer.sink(0).on_tracks(1);
  buffer.sink(0).on_track(0, kVideo);
  buffer.settle();
  buffer.sink(0).on_tracks(1);
  buffer.sink(0).on_track(0, found(media::MediaKind::Video, media::Codec::H265, "H265"));
  EXPECT_EQ(buffer.check().error().message, "the codec of a track has changed to H265");
}

TEST(MediaBuffer, LeavesOutAudioFromLongBeforeTheVideo) {
  MediaBuffer buffer(1);
  DemuxSink &sink = buffer.sink(0);
  sink.on_tracks(2);
  sink.on_track(0, kVideo);
  sink.on_track(1, kAudio);
  for (int i = 0; i < 50; i++) put(sink, 1, i * kStep);
  put(sink, 0, 2 * kSecond);
  buffer.settle();
  buffer.begin_together();
  ASSERT_EQ(buffer.next(), std::optional<size_t>(1));
  EXPECT_GE(buffer.front(1).dts_ns, 1500 * kMillisecond);
}

TEST(MediaBuffer, IsFullAtItsBound) {
  MediaBuffer buffer(1);
  buffer.sink(0).on_tracks(1);
  buffer.sink(0).on_track(0, kVideo);
  for (int i = 0; i < 9; i++) {
    EXPECT_FALSE(buffer.full());
    put(buffer.sink(0), 0, i * kStep, MediaBuffer::kMaxBytes / 9);
  }
  EXPECT_TRUE(buffer.full());
}

TEST(MediaBuffer, HoldsNoMoreTracksHoweverOftenTheyAreAnnounced) {
  MediaBuffer buffer(1);
  for (int i = 0; i < 1000; i++) {
    buffer.sink(0).on_tracks(1);
    buffer.sink(0).on_track(0, kVideo);
    put(buffer.sink(0), 0, 0);
  }
  ASSERT_TRUE(buffer.settle());
  EXPECT_EQ(buffer.tracks().size(), 1U);
  buffer.take(0);
  EXPECT_TRUE(buffer.empty());
}

TEST(SegmentReader, TellsFormatsByTheirBegin) {
  SegmentReader reader;
  DemuxRecord record;
  ASSERT_TRUE(reader.begin(Fetch{}, record));
  EXPECT_EQ(reader.push(as_bytes("<html><body>"), record).error().message,
            "a segment is neither MPEG-TS nor MP4 nor packed audio");
}

TEST(SegmentReader, SaysSoOfShortOnesToo) {
  SegmentReader reader;
  DemuxRecord record;
  ASSERT_TRUE(reader.begin(Fetch{}, record));
  ASSERT_TRUE(reader.push(as_bytes("oops"), record));
  EXPECT_FALSE(reader.finish(record));
}

TEST(SegmentReader, SaysWhenAKeyDoesNotFit) {
  SegmentReader reader;
  DemuxRecord record;
  Fetch fetch;
  fetch.cipher.emplace();
  ASSERT_TRUE(reader.begin(fetch, record));
  ByteVector rubbish(64, 7);
  auto pushed = reader.push(rubbish, record);
  EXPECT_FALSE(pushed && reader.finish(record));
}

} // namespace
} // namespace sluice::hls
