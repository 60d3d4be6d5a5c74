#include "workers/hls/pull/media_buffer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::hls {

using media::MediaKind;

namespace {

constexpr uint8_t kDynamicPayloadTypes = 96; // RFC 3551 section 3; each track has one of its own

} // namespace

class MediaBuffer::Input final : public DemuxSink {
public:
  Input(MediaBuffer &buffer, size_t rendition) : buffer_(buffer), rendition_(rendition) {}
  void on_tracks(size_t count) override { buffer_.on_tracks(rendition_, count); }
  void on_track(size_t index, const FoundTrack &track) override { buffer_.on_track(rendition_, index, track); }
  void on_access_unit(size_t index, const rtp::AccessUnit &unit) override {
    buffer_.on_access_unit(rendition_, index, unit);
  }

private:
  MediaBuffer &buffer_;
  size_t rendition_;
};

MediaBuffer::MediaBuffer(size_t renditions) : renditions_(renditions), timeline_(renditions) {
  for (size_t i = 0; i < renditions; i++) renditions_[i].input = std::make_unique<Input>(*this, i);
}

MediaBuffer::~MediaBuffer() = default;

DemuxSink &MediaBuffer::sink(size_t rendition) {
  return *renditions_[rendition].input;
}

void MediaBuffer::set_discontinuity(size_t rendition, uint64_t sequence) {
  renditions_[rendition].discontinuity = sequence;
}

// --- what demuxers find ---

void MediaBuffer::on_tracks(size_t index, size_t count) {
  Rendition &rendition = renditions_[index];
  if (!is_settled_) forget(index);
  rendition.announced = true;
  rendition.places.assign(count, std::nullopt);
}

// Before the tracks are settled: those that were announced first no longer count.
void MediaBuffer::forget(size_t rendition) {
  for (Track &track : tracks_) {
    if (track.rendition != rendition) continue;
    drop(track);
    track.known = false;
  }
}

void MediaBuffer::on_track(size_t rendition_index, size_t index, const FoundTrack &found) {
  Rendition &rendition = renditions_[rendition_index];
  if (index >= rendition.places.size()) return;
  std::optional<size_t> &place = rendition.places[index];
  if (place && tracks_[*place].found.track.codec == found.track.codec) {
    tracks_[*place].change = std::make_unique<FoundTrack>(found);
    return;
  }
  auto taken = [&](size_t i) {
    return std::find(rendition.places.begin(), rendition.places.end(), std::optional(i)) != rendition.places.end();
  };
  bool had_kind = false;
  for (size_t i = 0; i < tracks_.size(); i++) {
    Track &track = tracks_[i];
    if (track.rendition != rendition_index || !track.known || track.found.track.kind != found.track.kind || taken(i))
      continue;
    had_kind = true;
    if (track.found.track.codec != found.track.codec) continue;
    place = i;
    track.change = std::make_unique<FoundTrack>(found);
    return;
  }
  if (is_settled_) {
    if (had_kind || place) error_ = Error{fmt::format("the codec of a track has changed to {}", found.track.encoding)};
    return;
  }
  auto room = std::count_if(tracks_.begin(), tracks_.end(), [](const Track &track) { return track.known; });
  if (static_cast<size_t>(room) >= media::kMaxTracks) return;
  auto unused = std::find_if(tracks_.begin(), tracks_.end(), [](const Track &track) { return !track.known; });
  if (unused == tracks_.end()) {
    unused = tracks_.insert(tracks_.end(), Track());
    unused->line = timeline_.add_track();
  }
  place = static_cast<size_t>(unused - tracks_.begin());
  Track &track = *unused;
  track.rendition = rendition_index;
  track.found = found;
  track.known = true;
}

void MediaBuffer::on_access_unit(size_t rendition_index, size_t index, const rtp::AccessUnit &unit) {
  Rendition &rendition = renditions_[rendition_index];
  if (index >= rendition.places.size() || !rendition.places[index]) return;
  Track &track = tracks_[*rendition.places[index]];
  if (is_settled_ && !track.known) return; // not one of those that are carried
  Nanoseconds shift = timeline_.shift(rendition_index, track.line, rendition.discontinuity, unit.dts_ns);
  BufferedUnit buffered;
  buffered.pts_ns = unit.pts_ns + shift;
  buffered.dts_ns = unit.dts_ns + shift;
  buffered.random_access = unit.random_access;
  buffered.change = std::move(track.change);
  for (Bytes part : unit.units) {
    buffered.data.insert(buffered.data.end(), part.begin(), part.end());
    buffered.sizes.push_back(part.size());
  }
  bytes_ += cost(buffered);
  track.units.push_back(std::move(buffered));
}

Result<void> MediaBuffer::on_segment_end(size_t index) {
  Rendition &rendition = renditions_[index];
  rendition.segment_ended = true;
  bool any = std::any_of(tracks_.begin(), tracks_.end(),
                         [&](const Track &track) { return track.rendition == index && track.known; });
  if (!any && !is_settled_) return Error{"the stream has no tracks of codecs that are supported"};
  return {};
}

// --- which tracks there are ---

bool MediaBuffer::is_known(const Rendition &rendition) const {
  if (!rendition.announced || rendition.places.empty()) return rendition.segment_ended;
  bool all = std::all_of(rendition.places.begin(), rendition.places.end(), [](const auto &place) { return place; });
  return all || rendition.segment_ended;
}

bool MediaBuffer::is_replaced(const Track &track) const {
  return renditions_.size() > 1 && track.rendition == 0 && track.found.track.kind == MediaKind::Audio;
}

bool MediaBuffer::settle(bool at_once) {
  if (is_settled_) return true;
  if (!at_once &&
      !std::all_of(renditions_.begin(), renditions_.end(), [this](const Rendition &r) { return is_known(r); }))
    return false;
  for (MediaKind kind : {MediaKind::Video, MediaKind::Audio}) {
    for (size_t i = 0; i < tracks_.size(); i++) {
      if (tracks_[i].known && tracks_[i].found.track.kind == kind && !is_replaced(tracks_[i])) order_.push_back(i);
    }
  }
  if (order_.empty()) return false;
  for (size_t i = 0; i < tracks_.size(); i++) {
    if (std::find(order_.begin(), order_.end(), i) != order_.end()) continue;
    drop(tracks_[i]);
    tracks_[i].known = false;
  }
  for (size_t i : order_) {
    media::Track &track = settled_.emplace_back(tracks_[i].found).track;
    if (track.payload_type >= kDynamicPayloadTypes)
      track.payload_type = static_cast<uint8_t>(kDynamicPayloadTypes + settled_.size() - 1);
  }
  return is_settled_ = true;
}

// --- units ---

Nanoseconds MediaBuffer::buffered(size_t rendition) const {
  std::optional<Nanoseconds> least;
  for (const Track &track : tracks_) {
    if (track.rendition != rendition || track.units.empty()) continue;
    Nanoseconds span = track.units.back().dts_ns - track.units.front().dts_ns;
    least = std::min(least.value_or(span), span);
  }
  return least.value_or(0);
}

void MediaBuffer::begin_together() {
  constexpr Nanoseconds kLead = 500 * kMillisecond; // that readers can well do with
  if (order_.empty() || settled_[0].track.kind != MediaKind::Video || tracks_[order_[0]].units.empty()) return;
  Nanoseconds begin = tracks_[order_[0]].units.front().dts_ns - kLead;
  for (size_t i : order_)
    while (!tracks_[i].units.empty() && tracks_[i].units.front().dts_ns < begin) drop_front(tracks_[i]);
}

std::optional<size_t> MediaBuffer::next() const {
  std::optional<size_t> first;
  for (size_t i = 0; i < order_.size(); i++) {
    if (tracks_[order_[i]].units.empty()) continue;
    if (!first || front(i).dts_ns < front(*first).dts_ns) first = i;
  }
  return first;
}

BufferedUnit MediaBuffer::take(size_t track) {
  std::deque<BufferedUnit> &units = tracks_[order_[track]].units;
  BufferedUnit unit = std::move(units.front());
  bytes_ -= cost(unit);
  units.pop_front();
  return unit;
}

void MediaBuffer::drop_front(Track &track) {
  BufferedUnit &unit = track.units.front();
  bytes_ -= cost(unit);
  std::unique_ptr<FoundTrack> change = std::move(unit.change);
  track.units.pop_front();
  if (!change) return;
  if (track.units.empty()) {
    if (!track.change) track.change = std::move(change);
  } else if (!track.units.front().change) {
    track.units.front().change = std::move(change);
  }
}

void MediaBuffer::drop(Track &track) {
  for (const BufferedUnit &unit : track.units) bytes_ -= cost(unit);
  track.units.clear();
}

} // namespace sluice::hls
