#include "workers/hls/mux/segmenter.h"

#include "common/base/check.h"
#include "workers/hls/mux/digest.h"
#include "workers/hls/mux/sample_data.h"
#include "workers/hls/mux/timescale.h"

#include <algorithm>
#include <utility>

namespace sluice::hls {

namespace {

constexpr Nanoseconds kMaxJump = 10 * kSecond;              // forward; longer is another time
constexpr Nanoseconds kMaxStepBack = 100 * kMillisecond;    // what is passed over; more is another time
constexpr Nanoseconds kMaxDistance = 10 * kSecond;          // between a track and the leading one
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
  if (state != nullptr) {
    if (!segmenter.can_restore(*state)) return Error{"the state of the last muxer does not fit"};
    segmenter.restore(*state);
  }
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
  segment_.number = first_segment(settings.variant);
  part_target_ = settings.part_duration;
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
  // What was written has PCRs for times without pictures, too.
  taken_bytes_ = bytes + (is_mpegts() ? mpegts_.bytes().size() : taken_bytes_);
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

} // namespace sluice::hls
