#include "workers/hls/mux/segmenter.h"

#include "common/base/check.h"
#include "workers/hls/mux/digest.h"
#include "workers/hls/mux/sample_data.h"
#include "workers/hls/mux/timescale.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sluice::hls {

namespace {

constexpr Nanoseconds kMaxJump = 10 * kSecond;              // forward; longer is another time
constexpr Nanoseconds kMaxStepBack = 100 * kMillisecond;    // what is passed over; more is another time
constexpr Nanoseconds kMaxDistance = 10 * kSecond;          // between a track and the leading one
constexpr Nanoseconds kMaxLateness = 500 * kMillisecond;    // of a track behind the leading one, till its unit's
                                                            // duration is taken as usual
constexpr Nanoseconds kMaxFormatWait = 3 * kSecond;         // for a first frame of each track
constexpr Nanoseconds kMaxCutTolerance = 50 * kMillisecond; // that a segment may be shorter than wanted
constexpr Nanoseconds kPartTargetStep = 5 * kMillisecond;
constexpr Nanoseconds kMaxComposition = 10 * kSecond;
constexpr uint64_t kSampleOverhead = 32; // bytes that a sample takes besides its data

uint64_t digest_of(const TrackFormat &format) {
  Digest digest;
  for (uint64_t value : {static_cast<uint64_t>(format.codec), uint64_t{format.timescale}, uint64_t{format.width},
                         uint64_t{format.height}, uint64_t{format.sample_rate}, uint64_t{format.channels}})
    digest.add(value);
  digest.add(format.configuration);
  return digest.value();
}

} // namespace

Result<Segmenter> Segmenter::create(const SegmenterSettings &settings, std::vector<SegmenterTrack> tracks,
                                    const SegmenterState *state) {
  Segmenter segmenter(settings, std::move(tracks));
  TRY(segmenter.check());
  if (state != nullptr) segmenter.restore(*state);
  return segmenter;
}

Segmenter::Segmenter(const SegmenterSettings &settings, std::vector<SegmenterTrack> tracks) : settings_(settings) {
  for (SegmenterTrack &given : tracks) {
    Track &track = tracks_.emplace_back();
    track.description = std::move(given.track);
    track.sets = std::move(given.sets);
    take_format(track, make_format(track.description, track.sets));
    if (track.description.kind == media::MediaKind::Video && !has_video_) {
      has_video_ = true;
      leading_ = tracks_.size() - 1;
    }
  }
  cutter_ = PartCutter(to_ticks(settings.part_duration, kVideoTimescale), to_ticks(kPartTargetStep, kVideoTimescale));
}

Result<void> Segmenter::check() const {
  if (tracks_.empty()) return Error{"the stream has no track for HLS"};
  if (tracks_.size() > media::kMaxTracks) return Error{"the stream has too many tracks for HLS"};
  for (const Track &track : tracks_) {
    if (!can_mux(settings_.variant, track.description.codec))
      return Error{"a codec can't be had with this HLS variant"};
    if (is_mpegts() && track.format && track.format->codec == media::Codec::Aac)
      TRY(media::make_adts_header(track.format->aac, 0));
    bool video = track.description.kind == media::MediaKind::Video;
    if (video && &track != &tracks_[leading_]) return Error{"too many tracks of video for HLS"};
  }
  return {};
}

// --- formats ---

void Segmenter::take_format(Track &track, Result<TrackFormat> format) {
  if (!format) return; // as long as it is not known, or stays what it was
  if (is_mpegts()) format->timescale = kVideoTimescale;
  track.format = std::move(*format);
  track.digest = digest_of(*track.format);
  if (!track.included || !track.changed()) use_format(track);
}

void Segmenter::set_parameters(size_t index, const media::ParameterSets &sets) {
  CHECK(index < tracks_.size());
  Track &track = tracks_[index];
  auto format = make_format(track.description, sets);
  if (!format) return;
  track.sets = sets;
  take_format(track, std::move(format));
}

void Segmenter::set_description(size_t index, const media::Track &description) {
  CHECK(index < tracks_.size());
  Track &track = tracks_[index];
  if (description.codec != track.description.codec) return;
  track.description = description;
  take_format(track, make_format(track.description, track.sets));
}

// Only where a frame's header says something else than the last one.
void Segmenter::learn_format(Track &track, const rtp::AccessUnit &unit) {
  media::Codec codec = track.description.codec;
  if (!is_told_by_frames(codec) || unit.units.empty()) return;
  Bytes frame = unit.units[0];
  if (codec == media::Codec::Vp9) {
    if (unit.random_access) take_format(track, make_format(track.description, frame));
    return;
  }
  uint32_t key = format_key(codec, frame);
  if (key == 0 || key == track.frame_key) return;
  track.frame_key = key;
  take_format(track, make_format(track.description, frame));
}

void Segmenter::use_format(Track &track) {
  track.active = *track.format;
  track.active_digest = track.digest;
  track.timescale = track.active.timescale;
}

// Or a track can be had that is not in the segment.
bool Segmenter::formats_have_changed() const {
  return std::any_of(tracks_.begin(), tracks_.end(),
                     [](const Track &track) { return track.format && (!track.included || track.changed()); });
}

bool Segmenter::may_start(Nanoseconds dts_ns) {
  if (!leading().format) return false;
  bool known = std::all_of(tracks_.begin(), tracks_.end(), [](const Track &track) { return track.format.has_value(); });
  if (known) return true;
  if (!waiting_since_ || dts_ns < *waiting_since_) waiting_since_ = dts_ns;
  return dts_ns - kMaxFormatWait >= *waiting_since_;
}

void Segmenter::place_tracks() {
  placed_.clear();
  if (leading().included) placed_.push_back(&leading());
  for (Track &track : tracks_) {
    if (track.included && &track != &leading()) placed_.push_back(&track);
  }
  for (size_t i = 0; i < placed_.size(); i++) placed_[i]->place = i;
}

// --- access units ---

Result<void> Segmenter::push(size_t index, const rtp::AccessUnit &unit, uint64_t source, Sink &sink) {
  CHECK(index < tracks_.size());
  if (failed_) return Error{"the segmenter has failed"};
  Track &track = tracks_[index];
  place_source(track, source);
  learn_format(track, unit);
  if (was_muxed(track) || !has_picture(track.description.codec, unit.units)) return {};
  pushing_ = &track;
  auto pushed = &track == &leading() ? push_leading(unit, sink) : push_following(track, unit);
  pushing_ = nullptr;
  failed_ = !pushed;
  return pushed;
}

void Segmenter::place_source(Track &track, uint64_t source) {
  if (track.seen && track.current.source == source)
    track.current.before++;
  else
    track.current = {source, 0};
  track.seen = true;
  last_source_ = source;
}

bool Segmenter::was_muxed(Track &track) {
  if (!track.from) return false;
  if (track.current < *track.from) return true;
  track.from.reset();
  return false;
}

Result<void> Segmenter::push_leading(const rtp::AccessUnit &unit, Sink &sink) {
  Track &track = leading();
  bool random_access = unit.random_access || !has_video_;
  if (started_) {
    auto dts = next_dts(track, leading_time(unit));
    bool lost = !in_segment_ && !random_access; // what a successor should have got
    if (dts && !lost) {
      if (track.pending) resolve_leading(*dts - track.pending->dts, sink);
      if (in_segment_ && random_access && (segment_is_due(*dts) || formats_have_changed())) finish_segment(sink);
      if (!in_segment_) dts = begin_segment(unit, sink);
      return store(track, unit, *dts);
    }
    end_time(sink);
  }
  return random_access ? start(unit, sink) : Result<void>();
}

Result<void> Segmenter::start(const rtp::AccessUnit &unit, Sink &sink) {
  Nanoseconds dts_ns = leading_time(unit);
  if (!next_dts(leading(), dts_ns) || !may_start(dts_ns)) return {};
  started_ = true;
  return store(leading(), unit, begin_segment(unit, sink));
}

Result<void> Segmenter::push_following(Track &track, const rtp::AccessUnit &unit) {
  if (!started_ || !track.included || track.changed() || !track.format) return {};
  if (leading_dts_ns_ && !is_near(unit.pts_ns, *leading_dts_ns_, kMaxDistance)) return {};
  auto dts = next_dts(track, unit.pts_ns);
  if (!dts) return {};
  bool first = !track.pending && !track.last_dts;
  if (first && *dts < rescale(segment_start_dts_, leading().timescale, track.timescale)) return {};
  if (track.pending) add_sample(track, *dts - track.pending->dts);
  return store(track, unit, *dts);
}

bool Segmenter::segment_is_due(int64_t dts) const {
  const Track &track = tracks_[leading_];
  int64_t tolerance = std::min(track.last_duration / 2, to_ticks(kMaxCutTolerance, track.timescale));
  return dts - segment_start_dts_ + tolerance >= to_ticks(settings_.segment_duration, track.timescale);
}

// Later than that of the last one; empty: it can't be.
std::optional<int64_t> Segmenter::next_dts(const Track &track, Nanoseconds dts_ns) const {
  auto dts = stream_ticks(dts_ns, track.timescale);
  if (!dts) return std::nullopt;
  auto last = track.pending ? std::optional(track.pending->dts) : track.last_dts;
  if (!last) return dts;
  if (*dts < *last - to_ticks(kMaxStepBack, track.timescale)) return std::nullopt;
  bool leads = &track == &tracks_[leading_];
  if (leads && *dts > *last + to_ticks(kMaxJump, track.timescale)) return std::nullopt;
  return std::max(*dts, *last + 1);
}

Result<void> Segmenter::take(std::span<const Bytes> units) {
  uint64_t bytes = kSampleOverhead;
  for (Bytes unit : units) bytes += unit.size() + 4;
  taken_bytes_ += bytes;
  if (segment_.bytes + taken_bytes_ > settings_.max_segment_bytes) return Error{"reached maximum segment size"};
  return {};
}

Result<void> Segmenter::store(Track &track, const rtp::AccessUnit &unit, int64_t dts) {
  bool leads = &track == &leading();
  if (leads) leading_dts_ns_ = leading_time(unit);
  TRY(take(unit.units));
  size_t before = track.data.size();
  Sample sample;
  sample.dts = dts;
  sample.random_access = unit.random_access || !track.active.video;
  if (track.active.video) {
    int64_t limit = to_ticks(kMaxComposition, track.timescale);
    int64_t pts = stream_ticks(unit.pts_ns, track.timescale).value_or(0);
    sample.composition = static_cast<int32_t>(std::clamp(pts - dts, -limit, limit));
  }
  static const media::ParameterSets kNone;
  if (!is_mpegts())
    append_mp4_data(track.active.codec, unit.units, track.changed() ? kNone : track.sets, track.data);
  else if (track.active.video)
    append_h264_stream(unit.units, sample.random_access, track.sets, track.data);
  else if (!append_audio_stream(track.active, unit.units[0], track.data))
    return {};
  sample.size = static_cast<uint32_t>(track.data.size() - before);
  track.pending = sample;
  track.pending_unit = track.current;
  if (is_mpegts() && track.active.video) { // no duration is needed, and audio may go on meanwhile
    mpegts_.write_video(sample, track.data);
    track.data.clear();
  }
  return {};
}

// --- durations ---

int64_t Segmenter::usual_duration(const Track &track) const {
  if (track.last_duration > 0) return track.last_duration;
  return std::max<int64_t>(1, to_ticks(track.active.unit_duration, track.timescale));
}

void Segmenter::resolve_leading(int64_t duration, Sink &sink) {
  Track &track = leading();
  int64_t ticks = rescale(track.pending->dts + duration, track.timescale, kVideoTimescale) -
                  rescale(track.pending->dts, track.timescale, kVideoTimescale);
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
  discontinuity_ = segment_.number > 0;
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
  FinishedPart finished{.number = next_part_++, .segment = segment_.number, .part = {}, .pieces = pieces_};
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
  facts.part_target = to_nanoseconds(cutter_.target(), kVideoTimescale);
  return facts;
}

// --- a successor ---

SegmenterState Segmenter::snapshot() const {
  SegmenterState state;
  state.source = last_source_ + 1;
  for (size_t i = 0; i < tracks_.size(); i++) {
    const Track &track = tracks_[i];
    SegmenterState::Track &saved = state.tracks[i];
    bool newest = track.seen && track.current.source == last_source_;
    if (track.pending)
      saved.next = track.pending_unit;
    else if (pushing_ == &track)
      saved.next = track.current;
    else
      saved.next = {last_source_, newest ? track.current.before + 1 : 0};
    if (track.pending || pushing_ == &track) state.source = std::min(state.source, saved.next.source);
    saved.last_dts = track.last_dts;
    saved.last_duration = track.last_duration;
    saved.included = track.included;
    saved.format = track.active_digest;
  }
  state.next_segment = segment_.number;
  state.next_part = next_part_;
  state.initialisations = initialisations_;
  state.next_sequence = next_sequence_;
  state.started = started_;
  state.discontinuity = discontinuity_;
  state.in_segment = in_segment_;
  state.first_part = segment_.first_part;
  state.start_wall = segment_.start_wall;
  state.segment_duration = segment_.duration;
  state.segment_bytes = segment_.bytes;
  state.segment_samples = segment_samples_;
  state.segment_discontinuity = segment_.discontinuity;
  state.segment_start_dts = segment_start_dts_;
  state.measured_rate = measured_rate_;
  state.cutter = cutter_;
  state.mpegts = mpegts_.state();
  return state;
}

void Segmenter::restore(const SegmenterState &state) {
  segment_.number = state.next_segment;
  segment_.first_part = state.first_part;
  segment_.start_wall = state.start_wall;
  segment_.duration = state.segment_duration;
  segment_.bytes = state.segment_bytes;
  segment_.discontinuity = state.segment_discontinuity;
  segment_.initialisation = is_mpegts() || state.initialisations == 0 ? 0 : state.initialisations - 1;
  next_part_ = state.next_part;
  initialisations_ = state.initialisations;
  next_sequence_ = state.next_sequence;
  started_ = state.started;
  discontinuity_ = state.discontinuity;
  in_segment_ = state.in_segment;
  segment_samples_ = state.segment_samples;
  segment_start_dts_ = state.segment_start_dts;
  measured_rate_ = state.measured_rate;
  cutter_ = state.cutter;
  mpegts_ = MpegTsWriter(state.mpegts);
  for (size_t i = 0; i < tracks_.size(); i++) {
    Track &track = tracks_[i];
    const SegmenterState::Track &saved = state.tracks[i];
    track.from = saved.next;
    track.last_dts = saved.last_dts;
    track.last_duration = saved.last_duration;
    track.included = saved.included;
    track.active_digest = saved.format;
    track.active.codec = track.description.codec;
    track.active.video = track.description.kind == media::MediaKind::Video;
    if (track.included && track.format && !track.changed()) use_format(track);
  }
  place_tracks();
}

} // namespace sluice::hls
