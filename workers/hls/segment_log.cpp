#include "workers/hls/segment_log.h"

#include "workers/hls/resume_state.h"

#include <algorithm>

namespace sluice::hls {
namespace {

Nanoseconds rounded_up_to_seconds(Nanoseconds time) {
  return (time + kSecond - 1) / kSecond * kSecond;
}
// As playlists compare it with the target duration (RFC 8216 section 4.3.3.1).
Nanoseconds rounded_to_seconds(Nanoseconds time) {
  return (time + kSecond / 2) / kSecond * kSecond;
}

} // namespace

SegmentLog::SegmentLog(store::StoreWriter store, const SegmentLogSettings &settings, Listener &listener)
    : store_(std::move(store)), settings_(settings), listener_(listener) {
  ByteVector bytes;
  if (store_.read_index(bytes)) {
    auto index = decode_index(bytes);
    if (index && index->variant == settings_.variant) index_ = std::move(*index);
  }
  index_.variant = settings_.variant;
  if (index_.target_duration == 0) index_.target_duration = rounded_up_to_seconds(settings_.segment_duration);
}

std::optional<SegmenterState> SegmentLog::predecessor() const {
  return decode_state(index_.resume);
}

std::optional<SegmenterState> SegmentLog::state_after_break() const {
  std::optional<SegmenterState> before = predecessor();
  if (!before) return std::nullopt;
  SegmenterState state;
  state.next_segment = before->next_segment + (before->in_segment ? 1 : 0);
  state.next_part = before->next_part;
  state.initialisations = before->initialisations;
  state.next_sequence = before->next_sequence;
  state.discontinuity = !index_.segments.empty();
  state.cutter = before->cutter; // begins anew with each segment
  state.mpegts = before->mpegts;
  state.mpegts.discontinuity = true;
  return state;
}

void SegmentLog::end() {
  index_.ended = true;
  publish();
}

// --- what is made ---

void SegmentLog::take_facts() {
  Segmenter::Facts facts = listener_.facts();
  index_.codecs = std::move(facts.codecs);
  index_.has_video = facts.has_video;
  index_.width = facts.width;
  index_.height = facts.height;
  index_.frame_rate_millihertz = facts.frame_rate > 0 ? static_cast<uint64_t>(facts.frame_rate * 1000 + 0.5) : 0;
  index_.part_target = std::max(index_.part_target, facts.part_target);
}

std::optional<uint64_t> SegmentLog::append(Bytes data) {
  if (error_) return std::nullopt;
  auto position = store_.append(data);
  if (!position) {
    error_ = position.error();
    return std::nullopt;
  }
  return *position;
}

void SegmentLog::on_initialisation(uint64_t number, Bytes section) {
  if (auto position = append(section)) index_.sections.push_back({number, {*position, section.size()}});
}

void SegmentLog::on_segment_begin(const Segment &segment) {
  // One that a predecessor began and could not go on with ends here.
  if (!index_.segments.empty()) {
    Segment &last = index_.segments.back().segment;
    if (!last.finished && last.number != segment.number) last.finished = true;
  }
  index_.segments.push_back({segment, store_.end()});
  if (store_.version() == 0) publish(); // who waits for the first playlist gets to know the tracks
}

void SegmentLog::on_part(const FinishedPart &part, const SegmenterState &state) {
  std::optional<uint64_t> position;
  for (Bytes piece : part.pieces) {
    auto at = append(piece);
    if (!at) return;
    if (!position) position = at;
  }
  if (!position || index_.segments.empty()) return;
  index_.parts.push_back({part.number, part.part, *position});
  Segment &segment = index_.segments.back().segment;
  segment.duration += part.part.duration;
  segment.bytes += part.part.bytes;
  if (settings_.variant != Variant::LowLatency) return;
  index_.resume = encode_state(state);
  publish();
}

void SegmentLog::on_segment_end(const Segment &segment, const SegmenterState &state) {
  if (index_.segments.empty()) return;
  StoredSegment &stored = index_.segments.back();
  stored.segment = segment;
  stored.segment.parts.clear();
  stored.segment.finished = true;
  index_.target_duration = std::max(index_.target_duration, rounded_to_seconds(segment.duration));
  index_.resume = encode_state(state);
  let_old_ones_go();
  publish();
}

// --- what goes ---

void SegmentLog::let_old_ones_go() {
  auto &segments = index_.segments;
  size_t finished = segments.size();
  while (finished > settings_.segments) {
    size_t oldest = segments.size() - finished; // that may still be listed
    if (segments[oldest].segment.number >= index_.first_listed) {
      index_.first_listed = segments[oldest].segment.number + 1;
      if (segments[oldest].segment.discontinuity) index_.discontinuity_sequence++;
    }
    finished--;
  }
  size_t kept = 2 * settings_.segments + kMoreKept;
  if (segments.size() > kept) segments.erase(segments.begin(), segments.end() - static_cast<ptrdiff_t>(kept));
  uint64_t first_part = segments.front().segment.first_part;
  std::erase_if(index_.parts, [first_part](const StoredPart &part) { return part.number < first_part; });
  if (index_.parts.size() > kMaxParts)
    index_.parts.erase(index_.parts.begin(), index_.parts.end() - static_cast<ptrdiff_t>(kMaxParts));
  carry_sections_on(segments.front().position);
}

// Sections that segments still need would keep everything behind them: they are written again.
void SegmentLog::carry_sections_on(uint64_t position) {
  uint64_t first_needed = index_.segments.front().segment.initialisation;
  std::erase_if(index_.sections,
                [first_needed](const StoredSection &section) { return section.number < first_needed; });
  for (StoredSection &section : index_.sections) {
    if (section.place.position >= position) continue;
    auto bytes = store_.data(section.place.position, section.place.bytes);
    if (!bytes) continue;
    ByteVector copy(bytes->begin(), bytes->end());
    if (auto moved = append(copy)) section.place.position = *moved;
  }
}

void SegmentLog::publish() {
  if (error_) return;
  take_facts();
  auto published = store_.publish(encode(index_));
  if (!published) {
    error_ = published.error();
    return;
  }
  if (!index_.segments.empty()) {
    uint64_t oldest = index_.segments.front().position;
    for (const StoredSection &section : index_.sections) oldest = std::min(oldest, section.place.position);
    store_.let_go_before(oldest);
  }
  listener_.on_published();
}

} // namespace sluice::hls
