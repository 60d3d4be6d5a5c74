// Segmenter with arbitrary access units. Byte 0 chooses the variant and parts, byte 1 the tracks; then commands, each
// a byte: bits 0..1 the track, 2 random access, 3 a new source, 4 time goes a long way, 5 parameters before it, 6 the
// stream is interrupted; a step of DTS (16, in ms; 64 in ns with bit 4), a step of PTS from there (8, in ms), the
// number of units (4 bits) and 12 bits of their size. At some part a successor takes over, which has to go on as it
// would have.

#include "common/base/check.h"
#include "workers/hls/mux/segmenter.h"

using namespace sluice;

namespace {

constexpr uint64_t kMaxSegment = 64 * 1024;

media::Track make_track(uint8_t selector) {
  static constexpr media::Codec kCodecs[] = {media::Codec::H264, media::Codec::H265,      media::Codec::Av1,
                                             media::Codec::Vp9,  media::Codec::Aac,       media::Codec::Opus,
                                             media::Codec::Ac3,  media::Codec::MpegAudio, media::Codec::Flac};
  media::Track track;
  track.codec = kCodecs[selector % std::size(kCodecs)];
  track.kind = track.codec <= media::Codec::Jpeg ? media::MediaKind::Video : media::MediaKind::Audio;
  track.clock_rate = track.kind == media::MediaKind::Video ? 90000 : 48000;
  if (track.codec == media::Codec::Aac) track.fmtp = "sizelength=13; indexlength=3; indexdeltalength=3; config=1190";
  if (track.codec == media::Codec::Flac)
    track.fmtp = "streaminfo=00120012000004490004de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51";
  return track;
}

media::ParameterSets make_sets(media::Codec codec, bool other) {
  static constexpr uint8_t kSps[] = {0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x44, 0x26, 0xc0, 0x44, 0x00, 0x00,
                                     0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x48, 0x96, 0x58};
  static constexpr uint8_t kOtherSps[] = {0x67, 0x42, 0xc0, 0x0b, 0xd9, 0x02, 0xc4, 0xec, 0x04, 0x40, 0x00,
                                          0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x83, 0xc5, 0x0a, 0x92};
  static constexpr uint8_t kPps[] = {0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0};
  static constexpr uint8_t kSequence[] = {0x08, 0x00, 0x00, 0x00, 0x04, 0x3d, 0x07, 0xc4, 0x02, 0xf8, 0x00, 0x40};
  media::ParameterSets sets;
  if (codec == media::Codec::H264) {
    Bytes sps = other ? Bytes(kOtherSps) : Bytes(kSps);
    sets.sps.assign(sps.begin(), sps.end());
    sets.pps.assign(std::begin(kPps), std::end(kPps));
  }
  if (codec == media::Codec::Av1) sets.sps.assign(std::begin(kSequence), std::end(kSequence));
  return sets;
}

struct Sink final : hls::Segmenter::Sink {
  void on_initialisation(uint64_t number, Bytes section) override {
    CHECK(number == initialisations++ && !section.empty());
  }
  void on_segment_begin(const hls::Segment &segment) override {
    CHECK(!open && segment.number == next_segment && segment.first_part == next_part);
    open = true;
    bytes = 0;
  }
  void on_part(const hls::FinishedPart &part, const hls::SegmenterState &now) override {
    CHECK(open && part.number == next_part++ && part.segment == next_segment && part.part.duration > 0);
    uint64_t size = 0;
    for (Bytes piece : part.pieces) size += piece.size();
    CHECK(size == part.part.bytes && size > 0);
    bytes += size;
    CHECK(part.part.duration <= part.part_target + 1 || part.part_target == 0);
    CHECK(now.in_segment && now.next_part == next_part);
    state = now;
  }
  void on_segment_end(const hls::Segment &segment, const hls::SegmenterState &now) override {
    CHECK(open && segment.number == next_segment++ && segment.bytes == bytes && segment.finished);
    open = false;
    CHECK(!now.in_segment && now.next_segment == next_segment);
    state = now;
  }
  bool open = false;
  uint64_t next_segment = 0, next_part = 0, initialisations = 0, bytes = 0;
  std::optional<hls::SegmenterState> state; // the last one
};

struct Step {
  uint8_t flags = 0;
  Nanoseconds dts = 0, pts = 0;
  std::vector<Bytes> units;
};

std::optional<Step> read_step(ByteReader &reader) {
  Step step;
  auto flags = reader.u8();
  if (!flags) return std::nullopt;
  step.flags = *flags;
  if ((*flags & 0x10) != 0) {
    step.dts = static_cast<Nanoseconds>(reader.u64().value_or(0));
  } else {
    step.dts = reader.u16().value_or(0) % 4096 * kMillisecond;
  }
  step.pts = static_cast<int8_t>(reader.u8().value_or(0)) * kMillisecond;
  uint16_t shape = reader.u16().value_or(0x1001);
  for (unsigned i = 0; i < shape >> 12u; i++) {
    auto unit = reader.bytes(std::min<size_t>(reader.rest().size(), (shape & 0xfffu) + 1));
    if (unit && !unit->empty()) step.units.push_back(*unit);
  }
  return step;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ByteReader reader({data, size});
  uint8_t kind = reader.u8().value_or(0);
  uint8_t choice = reader.u8().value_or(0);
  hls::SegmenterSettings settings;
  settings.variant = static_cast<hls::Variant>(kind % 3);
  settings.part_duration = (kind & 0x10) != 0 ? 200 * kMillisecond : 0;
  settings.max_segment_bytes = kMaxSegment;
  std::vector<hls::SegmenterTrack> tracks;
  for (unsigned i = 0; i < 1u + (kind >> 6); i++) {
    media::Track track = make_track(static_cast<uint8_t>(choice * (i + 1) + i * 5));
    tracks.push_back({track, make_sets(track.codec, false)});
  }
  auto segmenter = hls::Segmenter::create(settings, tracks);
  if (!segmenter) return 0;
  Sink sink;
  sink.next_segment = hls::first_segment(settings.variant);
  Nanoseconds now = 0;
  uint64_t source = 0;
  while (auto step = read_step(reader)) {
    size_t track = (step->flags & 3u) % tracks.size();
    if ((step->flags & 8) != 0) source++;
    if ((step->flags & 0x20) != 0)
      segmenter->set_parameters(track, make_sets(tracks[track].track.codec, (source & 1) != 0));
    if ((step->flags & 0x40) != 0) segmenter->discontinue(sink);
    now = (step->flags & 0x10) != 0
              ? step->dts
              : static_cast<Nanoseconds>(static_cast<uint64_t>(now) + static_cast<uint64_t>(step->dts));
    if (step->units.empty()) continue;
    auto pts = static_cast<Nanoseconds>(static_cast<uint64_t>(now) + static_cast<uint64_t>(step->pts));
    rtp::AccessUnit unit{.units = step->units, .pts_ns = pts, .dts_ns = now, .random_access = (step->flags & 4) != 0};
    if (!segmenter->push(track, unit, source, sink)) return 0;
    if ((step->flags & 0x80) != 0 && sink.state) { // its worker has died
      segmenter = hls::Segmenter::create(settings, tracks, &*sink.state);
      CHECK(segmenter.has_value());
      sink.open = sink.state->in_segment;
      sink.next_segment = sink.state->next_segment;
      sink.next_part = sink.state->next_part;
      sink.bytes = sink.state->segment_bytes;
      sink.initialisations = settings.variant == hls::Variant::MpegTs ? 0 : sink.state->initialisations;
    }
  }
  segmenter->flush(sink);
  CHECK(!sink.open);
  (void)segmenter->facts();
  return 0;
}
