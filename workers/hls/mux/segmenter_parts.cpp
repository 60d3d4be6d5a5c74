#include "workers/hls/mux/segmenter.h"
#include "workers/hls/mux/timescale.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sluice::hls {

namespace {

constexpr Nanoseconds kMaxLateness = 500 * kMillisecond; // of a track behind the leading one, till its unit's
                                                         // duration is taken as usual

} // namespace

// --- durations ---

int64_t Segmenter::usual_duration(const Track &track) const {
  if (track.last_duration > 0) return track.last_duration;
  return std::max<int64_t>(1, to_ticks(track.active.unit_duration, track.timescale));
}

void Segmenter::resolve_leading(int64_t duration, Sink &sink) {
  Track &track = leading();
  int64_t begin = rescale(track.pending->dts, track.timescale, kVideoTimescale);
  int64_t end = rescale(track.pending->dts + duration, track.timescale, kVideoTimescale);
  int64_t ticks = std::max<int64_t>(1, end - begin);
  if (!is_mpegts() && cutter_.ends_before(ticks)) finish_part(sink); // there it is written already
  if (cutter_.part() == 0) part_independent_ = track.pending->random_access;
  segment_samples_++;
  add_sample(track, duration);
  bool full = cutter_.add(ticks);
  resolve_late();
  if (full) finish_part(sink);
}

// Those whose track does not go on.
void Segmenter::resolve_late() {
  const Track &lead = leading();
  int64_t end = rescale(*lead.last_dts + lead.last_duration, lead.timescale, kVideoTimescale);
  for (Track *track : placed_) {
    if (track == &lead || !track->pending) continue;
    int64_t time = rescale(track->pending->dts, track->timescale, kVideoTimescale);
    if (time + to_ticks(kMaxLateness, kVideoTimescale) < end) add_sample(*track, usual_duration(*track));
  }
}

void Segmenter::add_sample(Track &track, int64_t duration) {
  Sample sample = *std::exchange(track.pending, std::nullopt);
  sample.duration = static_cast<uint32_t>(std::min<int64_t>(duration, UINT32_MAX));
  track.last_dts = sample.dts;
  track.last_duration = sample.duration;
  if (!is_mpegts()) {
    track.samples.push_back(sample);
    track.bytes += sample.size;
  } else if (!track.active.video) {
    add_audio_to_packet(track, sample);
  }
}

// Frames of a PES packet follow each other, as decoders take them to do.
void Segmenter::add_audio_to_packet(Track &track, const Sample &sample) {
  constexpr int64_t kMaxDeviation = 90; // ticks
  if (!track.samples.empty()) {
    int64_t begin = track.samples[0].dts;
    auto frames = static_cast<int64_t>(track.samples.size());
    int64_t expected = begin + to_ticks(frames * track.active.unit_duration, kVideoTimescale);
    bool fits = sample.dts + usual_duration(track) - begin <= MpegTsWriter::kMaxAudioPacket &&
                track.bytes + sample.size <= MpegTsWriter::kMaxAudioBytes;
    if (!fits || std::abs(sample.dts - expected) > kMaxDeviation) write_audio(track);
  }
  track.samples.push_back(sample);
  track.bytes += sample.size;
}

void Segmenter::write_audio(Track &track) {
  if (track.samples.empty()) return;
  mpegts_.write_audio(track.place, track.samples[0].dts, Bytes(track.data).first(track.bytes));
  drop_samples(track);
}

// A pending one stays.
void Segmenter::drop_samples(Track &track) {
  track.data.erase(track.data.begin(), track.data.begin() + static_cast<ptrdiff_t>(track.bytes));
  track.samples.clear();
  track.bytes = 0;
}

// --- parts and segments ---

// Returns the unit's DTS, which may be of another timescale now.
int64_t Segmenter::begin_segment(const rtp::AccessUnit &unit, Sink &sink) {
  waiting_since_.reset();
  if (initialisations_ == 0 || formats_have_changed()) activate_formats(sink);
  int64_t dts = next_dts(leading(), leading_time(unit)).value_or(0);
  cutter_.begin_segment();
  in_segment_ = true;
  segment_start_dts_ = dts;
  segment_samples_ = 0;
  segment_.first_part = next_part_;
  segment_.duration = 0;
  segment_.bytes = 0;
  segment_.start_wall = unit.pts_ns + wall_offset_;
  segment_.initialisation = is_mpegts() ? 0 : initialisations_ - 1;
  segment_.discontinuity = std::exchange(discontinuity_, false);
  segment_.finished = false;
  if (is_mpegts()) mpegts_.write_tables();
  sink.on_segment_begin(segment_);
  return dts;
}

// The segment that begins gets the newest ones. What is pending of a track that has changed was made for the old one.
void Segmenter::activate_formats(Sink &sink) {
  for (Track &track : tracks_) {
    if (!track.format) continue;
    if (!track.included || track.changed()) {
      bool rescaled = track.included && track.timescale != track.format->timescale;
      if (rescaled && track.last_dts)
        track.last_dts = rescale(*track.last_dts, track.timescale, track.format->timescale);
      if (rescaled) track.last_duration = 0;
      track.pending.reset();
      track.data.clear();
      use_format(track);
    }
    track.included = true;
  }
  place_tracks();
  discontinuity_ = segment_.number > first_segment(settings_.variant);
  formats_.clear();
  for (const Track *track : placed_) formats_.push_back(&track->active);
  uint64_t number = initialisations_++;
  if (is_mpegts()) return mpegts_.set_tracks(formats_);
  initialisation_.clear();
  append_initialisation(formats_, initialisation_);
  sink.on_initialisation(number, initialisation_);
}

void Segmenter::gather_mpegts() {
  for (Track *track : placed_) write_audio(*track);
  pieces_.push_back(mpegts_.bytes());
}

void Segmenter::gather_mp4() {
  runs_.clear();
  head_.clear();
  pieces_.push_back({});
  for (const Track *track : placed_) {
    if (track->samples.empty()) continue;
    runs_.push_back({static_cast<uint32_t>(track->place + 1), track->active.video, track->samples, track->bytes});
    pieces_.push_back(Bytes(track->data).first(track->bytes));
  }
  append_part_head(next_sequence_++, runs_, head_);
  pieces_[0] = head_;
}

void Segmenter::finish_part(Sink &sink) {
  pieces_.clear();
  if (is_mpegts())
    gather_mpegts();
  else
    gather_mp4();
  if (settings_.part_duration > 0) part_target_ = to_nanoseconds(cutter_.target(), kVideoTimescale);
  FinishedPart finished{
      .number = next_part_++, .segment = segment_.number, .part = {}, .part_target = part_target_, .pieces = pieces_};
  finished.part.duration = to_nanoseconds(cutter_.part(), kVideoTimescale);
  finished.part.independent = part_independent_;
  for (Bytes piece : pieces_) finished.part.bytes += piece.size();
  cutter_.begin_part();
  segment_.duration += finished.part.duration;
  segment_.bytes += finished.part.bytes;
  taken_bytes_ = 0;
  for (const Track *track : placed_) taken_bytes_ += track->data.size() - track->bytes;
  sink.on_part(finished, snapshot());
  mpegts_.clear();
  for (Track *track : placed_) drop_samples(*track);
}

void Segmenter::finish_segment(Sink &sink) {
  if (cutter_.part() > 0) finish_part(sink);
  segment_.finished = true;
  in_segment_ = false;
  if (has_video_ && segment_.duration > 0) {
    double rate = static_cast<double>(segment_samples_) * kSecond / static_cast<double>(segment_.duration);
    measured_rate_ = std::round(rate * 1000) / 1000;
  }
  Segment ended = segment_;
  segment_.number++;
  sink.on_segment_end(ended, snapshot());
}

void Segmenter::discontinue(Sink &sink) {
  if (started_ && !failed_) end_time(sink);
}

// What there is becomes a part first, while its state is that of a segment that may go on.
void Segmenter::end_time(Sink &sink) {
  if (in_segment_) {
    for (Track *track : placed_) {
      if (track != &leading() && track->pending) add_sample(*track, usual_duration(*track));
    }
    if (leading().pending) resolve_leading(usual_duration(leading()), sink);
    if (cutter_.part() > 0) finish_part(sink);
  }
  for (Track &track : tracks_) {
    track.last_dts.reset();
    track.pending.reset();
    track.samples.clear();
    track.data.clear();
    track.bytes = 0;
  }
  leading_dts_ns_.reset();
  taken_bytes_ = 0;
  started_ = false;
  discontinuity_ = true;
  cutter_.forget();
  mpegts_.break_time();
  mpegts_.clear();
  if (in_segment_) finish_segment(sink);
}

Segmenter::Facts Segmenter::facts() const {
  Facts facts;
  for (const Track *track : placed_) {
    if (track->active.codecs.empty()) continue;
    if (!facts.codecs.empty() && facts.codecs.find(track->active.codecs) == std::string::npos) facts.codecs += ',';
    if (facts.codecs.find(track->active.codecs) == std::string::npos) facts.codecs += track->active.codecs;
  }
  facts.has_video = has_video_;
  const TrackFormat &format = tracks_[leading_].active;
  if (has_video_) {
    facts.width = format.width;
    facts.height = format.height;
    facts.frame_rate = format.frame_rate > 0 ? format.frame_rate : measured_rate_;
  }
  facts.part_target = part_target_;
  return facts;
}

} // namespace sluice::hls
