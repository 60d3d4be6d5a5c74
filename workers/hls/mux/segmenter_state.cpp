#include "workers/hls/mux/segmenter.h"
#include "workers/hls/mux/timescale.h"

#include <algorithm>

namespace sluice::hls {

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

// It comes from memory that another process wrote.
bool Segmenter::can_restore(const SegmenterState &state) const {
  constexpr int64_t kLatest = int64_t{1} << 57;
  auto is_time = [](int64_t ticks) { return ticks >= 0 && ticks <= kLatest; };
  size_t included = 0;
  for (size_t i = 0; i < state.tracks.size(); i++) {
    const SegmenterState::Track &track = state.tracks[i];
    if (track.included && i >= tracks_.size()) return false;
    if (track.included) included++;
    if (!is_time(track.last_dts.value_or(0)) || track.last_duration < 0 || track.last_duration > UINT32_MAX)
      return false;
  }
  bool leads = state.tracks[leading_].included;
  bool started = state.started || state.in_segment;
  if ((started && (!leads || state.initialisations == 0)) || (state.in_segment && !state.started)) return false;
  if (is_mpegts() && (!state.mpegts.is_valid() || state.mpegts.tracks != included)) return false;
  if (state.started && !state.cutter.continues(cutter_)) return false;
  return is_time(state.segment_start_dts) && state.segment_duration >= 0;
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
  if (started_) cutter_ = state.cutter;
  if (cutter_.target() > 0) part_target_ = to_nanoseconds(cutter_.target(), kVideoTimescale);
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
