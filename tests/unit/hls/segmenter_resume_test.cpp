// A successor that begins with the state of any part or segment makes what its predecessor would have made.

#include "tests/unit/hls/mux_harness.h"

namespace sluice::hls {
namespace {

struct Case {
  const char *name;
  Variant variant;
  Nanoseconds part;
  std::vector<SegmenterTrack> tracks;
  std::vector<Unit> units;
};

// Feeds what is at or after the state's source, as a muxer that reads a ring from there on.
void expect_the_same(const Case &test, const Recorder &whole, const Recorder::At &at) {
  Segmenter successor =
      Segmenter::create({.variant = test.variant, .part_duration = test.part}, test.tracks, &at.state).value();
  Recorder made;
  made.open = !at.ended; // the segment that its predecessor began
  if (made.open) made.segments.push_back({whole.segments[at.segments - 1].segment, {}, {}, {}});
  std::vector<ByteVector> bytes;
  struct Sink final : Segmenter::Sink {
    explicit Sink(std::vector<ByteVector> &out) : parts(out) {}
    void on_initialisation(uint64_t number, Bytes) override { initialisations.push_back(number); }
    void on_segment_begin(const Segment &segment) override { begun.push_back(segment); }
    void on_part(const FinishedPart &part, const SegmenterState &) override {
      ByteVector &whole_part = parts.emplace_back();
      for (Bytes piece : part.pieces) whole_part.insert(whole_part.end(), piece.begin(), piece.end());
      numbers.push_back(part.number);
    }
    void on_segment_end(const Segment &segment, const SegmenterState &) override { ended.push_back(segment); }
    std::vector<ByteVector> &parts;
    std::vector<uint64_t> numbers, initialisations;
    std::vector<Segment> begun, ended;
  } sink(bytes);
  for (const Unit &unit : test.units) {
    if (unit.source >= at.state.source) {
      ASSERT_TRUE(feed(successor, unit, sink));
    }
  }
  successor.flush(sink);
  ASSERT_EQ(bytes.size(), whole.parts.size() - at.parts) << test.name << " after part " << at.parts;
  for (size_t i = 0; i < bytes.size(); i++) {
    ASSERT_EQ(bytes[i], whole.parts[at.parts + i]) << test.name << " after part " << at.parts << ", part " << i;
    EXPECT_EQ(sink.numbers[i], at.parts + i);
  }
  size_t first_ended = at.ended ? at.segments : at.segments - 1;
  ASSERT_EQ(sink.ended.size(), whole.segments.size() - first_ended);
  for (size_t i = 0; i < sink.ended.size(); i++) {
    const Segment &expected = whole.segments[first_ended + i].segment;
    EXPECT_EQ(sink.ended[i].number, expected.number);
    EXPECT_EQ(sink.ended[i].duration, expected.duration);
    EXPECT_EQ(sink.ended[i].bytes, expected.bytes);
    EXPECT_EQ(sink.ended[i].discontinuity, expected.discontinuity);
    EXPECT_EQ(sink.ended[i].initialisation, expected.initialisation);
    EXPECT_EQ(sink.ended[i].start_wall, expected.start_wall);
    EXPECT_EQ(sink.ended[i].first_part, expected.first_part);
  }
}

std::vector<Unit> reordered(std::vector<Unit> units) {
  int count = 0;
  for (Unit &unit : units) {
    if (unit.track != 0) continue;
    unit.pts = unit.dts + (count % 3 == 1 ? 3 : count % 3 == 2 ? 0 : 1) * kFrame;
    count++;
  }
  return units;
}

// Two frames of audio come with one packet, and the order of the tracks varies.
std::vector<Unit> shuffled(std::vector<Unit> units) {
  for (size_t i = 0; i + 3 < units.size(); i += 3) std::swap(units[i + 1], units[i + 2]);
  uint64_t source = 1;
  bool second = false;
  for (size_t i = 0; i < units.size(); i++) {
    second = i > 0 && units[i].track == 1 && units[i - 1].track == 1 && !second;
    if (!second) source += 2;
    units[i].source = source;
  }
  return units;
}

std::vector<Unit> with_changes(std::vector<Unit> units) {
  media::ParameterSets sets = h264_track().sets;
  sets.sps = hex(kOtherSps);
  for (Unit &unit : units) {
    if (unit.track == 0 && unit.random_access && unit.dts >= 2 * kSecond) {
      unit.units.insert(unit.units.begin(), {sets.sps, sets.pps});
      unit.sets = sets; // a depacketizer that begins there would tell them, too
    }
    if (unit.dts >= 3500 * kMillisecond) {
      unit.dts += 100 * kSecond;
      unit.pts += 100 * kSecond;
    }
  }
  return units;
}

TEST(SegmenterSuccessor, MakesTheSameBytesFromAnyPartOn) {
  std::vector<SegmenterTrack> both = {h264_track(), aac_track()};
  std::vector<Case> cases;
  for (auto [variant, part] : {std::pair(Variant::MpegTs, Nanoseconds{0}),
                               {Variant::MpegTs, 300 * kMillisecond},
                               {Variant::Fmp4, Nanoseconds{0}},
                               {Variant::LowLatency, 200 * kMillisecond}}) {
    cases.push_back({"plain", variant, part, both, stream(6 * kSecond)});
    cases.push_back({"reordered", variant, part, both, reordered(stream(4 * kSecond))});
    cases.push_back({"shuffled", variant, part, both, shuffled(stream(5 * kSecond))});
    cases.push_back({"changes", variant, part, both, with_changes(stream(6 * kSecond))});
    cases.push_back({"audio", variant, part, {aac_track()}, stream(4 * kSecond, kSecond, false)});
    cases.push_back({"video", variant, part, {h264_track()}, stream(4 * kSecond, kSecond, true, false)});
  }
  for (const Case &test : cases) {
    Recorder whole;
    Segmenter segmenter = Segmenter::create({.variant = test.variant, .part_duration = test.part}, test.tracks).value();
    feed(segmenter, test.units, whole);
    size_t before_flush = whole.states.size();
    segmenter.flush(whole);
    ASSERT_GT(before_flush, 4u) << test.name;
    for (size_t i = 0; i < before_flush; i++) expect_the_same(test, whole, whole.states[i]);
  }
}

TEST(SegmenterSuccessor, ContinuesTheNumbersOfALostPredecessor) {
  SegmenterState state;
  state.next_segment = 12;
  state.next_part = 60;
  state.initialisations = 3;
  state.next_sequence = 61;
  state.discontinuity = true;
  Segmenter segmenter =
      Segmenter::create({.variant = Variant::LowLatency, .part_duration = 200 * kMillisecond}, {h264_track()}, &state)
          .value();
  Recorder made;
  feed(segmenter, stream(2 * kSecond, kSecond, true, false), made);
  ASSERT_EQ(made.segments.size(), 2u);
  EXPECT_EQ(made.segments[0].segment.number, 12u);
  EXPECT_TRUE(made.segments[0].segment.discontinuity);
  EXPECT_FALSE(made.segments[1].segment.discontinuity);
  EXPECT_EQ(made.segments[0].segment.initialisation, 3u);
  EXPECT_EQ(made.segments[0].part_numbers[0], 60u);
  EXPECT_EQ(load_be32(find_box(made.parts[0], "moof/mfhd").data() + 4), 61u);
}

TEST(SegmenterSuccessor, RefusesAStateThatCantBeItsPredecessors) {
  SegmenterSettings settings{.variant = Variant::LowLatency, .part_duration = 200 * kMillisecond};
  Recorder made;
  Segmenter segmenter = Segmenter::create(settings, {h264_track(), aac_track()}).value();
  feed(segmenter, stream(2 * kSecond), made);
  SegmenterState state = made.states[2].state;
  EXPECT_TRUE(Segmenter::create(settings, {h264_track(), aac_track()}, &state));
  EXPECT_FALSE(Segmenter::create(settings, {h264_track()}, &state)); // it had a track more
  SegmenterState changed = state;
  changed.tracks[1].last_dts = -1;
  EXPECT_FALSE(Segmenter::create(settings, {h264_track(), aac_track()}, &changed));
  changed = state;
  changed.started = false;
  EXPECT_FALSE(Segmenter::create(settings, {h264_track(), aac_track()}, &changed));
  settings.part_duration = 300 * kMillisecond;
  EXPECT_FALSE(Segmenter::create(settings, {h264_track(), aac_track()}, &state));
}

TEST(SegmenterSuccessor, MarksADiscontinuityWhereTheRingHasNoMoreOfIt) {
  Recorder whole;
  std::vector<Unit> units = stream(4 * kSecond);
  Segmenter segmenter = make_segmenter(Variant::LowLatency, {h264_track(), aac_track()}, 200 * kMillisecond);
  feed(segmenter, units, whole);
  const Recorder::At &at = whole.states[3];
  Segmenter successor = Segmenter::create({.variant = Variant::LowLatency, .part_duration = 200 * kMillisecond},
                                          {h264_track(), aac_track()}, &at.state)
                            .value();
  Recorder made;
  made.open = true;
  made.segments.push_back({});
  for (size_t i = 0; i < at.parts; i++)
    made.segments[0].bytes.insert(made.segments[0].bytes.end(), whole.parts[i].begin(), whole.parts[i].end());
  successor.discontinue(made);
  EXPECT_FALSE(made.open); // its predecessor's segment has ended
  for (const Unit &unit : units) {
    if (unit.dts > 2500 * kMillisecond) {
      ASSERT_TRUE(feed(successor, unit, made));
    }
  }
  ASSERT_EQ(made.segments.size(), 2u);
  EXPECT_TRUE(made.segments[1].segment.discontinuity);
  EXPECT_EQ(made.segments[1].segment.number, 2u);
}

} // namespace
} // namespace sluice::hls
