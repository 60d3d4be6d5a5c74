#include "workers/hls/mux/segmenter.h"

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
