#include "workers/hls/pull/follower.h"

#include "common/http/uri.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::hls {
namespace {

// Whatever a playlist says.
constexpr Nanoseconds kShortestTarget = kSecond, kLongestTarget = 120 * kSecond;
constexpr Nanoseconds kShortestPause = 20 * kMillisecond; // between blocking reloads
constexpr int kHoldBackTargets = 3;                       // RFC 8216 section 6.3.3; as many of parts

} // namespace

Nanoseconds Follower::target_duration() const {
  return std::clamp(playlist_ ? playlist_->target_duration : 0, kShortestTarget, kLongestTarget);
}

Nanoseconds Follower::hold_back() const {
  if (!playlist_) return kHoldBackTargets * kShortestTarget;
  if (uses_parts()) return playlist_->part_hold_back.value_or(kHoldBackTargets * playlist_->part_target);
  return playlist_->hold_back.value_or(kHoldBackTargets * target_duration());
}

// --- the playlist ---

Follower::Position Follower::end_of(const SourceMedia &playlist) {
  if (playlist.segments.empty()) return {};
  const SourceSegment &last = playlist.segments.back();
  return last.uri.empty() ? Position{last.number, last.parts.size()} : Position{last.number + 1, 0};
}

// An older one than the last, as caches have it, changes nothing.
void Follower::on_playlist(SourceMedia playlist, std::string base, Nanoseconds now) {
  changed_ = !playlist_ || end_of(playlist) > end_of(*playlist_) || (playlist.ended && !playlist_->ended);
  if (playlist_ && end_of(playlist) < end_of(*playlist_)) {
    changed_ = false;
    return;
  }
  playlist_ = std::move(playlist);
  base_ = std::move(base);
  if (changed_) changed_ns_ = now;
  if (playlist_->segments.empty()) return;
  if (!begun_) {
    next_ = begin_of(*playlist_);
    begun_ = true;
  }
  uint64_t first = playlist_->segments.front().number;
  if (next_.number < first) {
    missed_ += first - next_.number;
    next_ = {first, 0};
  }
  const SourceSegment *segment = current();
  if (segment != nullptr && !segment->uri.empty() && segment->parts.size() < next_.parts) { // no longer in parts
    missed_++;
    next_segment();
  }
}

Follower::Position Follower::begin_of(const SourceMedia &playlist) const {
  if (playlist.ended) return {playlist.segments.front().number, 0};
  if (uses_parts()) return low_latency_begin(playlist);
  Nanoseconds distance = 0;
  for (auto segment = playlist.segments.rbegin(); segment != playlist.segments.rend(); ++segment) {
    distance += segment->duration;
    if (distance >= hold_back()) return {segment->number, 0};
  }
  return {playlist.segments.front().number, 0};
}

// Decoding is to begin there: at a part that is said to be independent, or a segment.
Follower::Position Follower::low_latency_begin(const SourceMedia &playlist) const {
  Nanoseconds distance = 0;
  for (auto segment = playlist.segments.rbegin(); segment != playlist.segments.rend(); ++segment) {
    Nanoseconds behind = distance;
    for (size_t i = segment->parts.size(); i-- > 0;) {
      behind += segment->parts[i].duration;
      if (behind >= hold_back() && segment->parts[i].independent) return {segment->number, i};
    }
    distance += segment->duration;
    if (distance >= hold_back()) return {segment->number, 0};
  }
  return {playlist.segments.front().number, 0};
}

std::optional<Reload> Follower::reload() const {
  if (!playlist_) return Reload{load_ns_, url_, false};
  if (playlist_->ended) return std::nullopt;
  Reload reload{load_ns_ + (changed_ ? target_duration() : target_duration() / 2), url_, false};
  if (!playlist_->can_block_reload || playlist_->segments.empty()) return reload;
  reload.blocks = true;
  if (changed_) reload.due = load_ns_ + kShortestPause;
  Position end = end_of(*playlist_);
  reload.url += fmt::format("{}_HLS_msn={}", url_.find('?') == url_.npos ? '?' : '&', end.number);
  if (uses_parts()) reload.url += fmt::format("&_HLS_part={}", end.parts);
  return reload;
}

// --- what is next ---

const SourceSegment *Follower::current() const {
  if (!playlist_ || !begun_ || playlist_->segments.empty()) return nullptr;
  uint64_t first = playlist_->segments.front().number;
  if (next_.number < first || next_.number - first >= playlist_->segments.size()) return nullptr;
  return &playlist_->segments[next_.number - first];
}

void Follower::next_segment() {
  next_ = {next_.number + 1, 0};
}

// Past gaps, and the ends of segments that came in parts. Null: nothing is there for now.
const SourceSegment *Follower::skip_to_media() {
  while (const SourceSegment *segment = current()) {
    bool whole = !segment->uri.empty();
    if (whole && segment->gap) {
      missed_++;
      next_segment();
    } else if (whole && next_.parts == 0) {
      return segment;
    } else if (next_.parts < segment->parts.size() && (uses_parts() || whole)) {
      if (!segment->parts[next_.parts].gap) return segment;
      next_.parts++;
    } else if (whole) {
      next_segment();
    } else {
      return nullptr;
    }
  }
  return nullptr;
}

Result<std::string> Follower::resolve(const std::string &uri) const {
  std::string url = TRY(http::resolve_reference(base_, uri));
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return Error{"the playlist refers to what is not on the web"};
  return url;
}

Result<bool> Follower::find_cipher(std::optional<size_t> index, uint64_t number, Fetch &fetch, Fetch &out) {
  if (!index) return true;
  const SourceKey &key = playlist_->keys[*index];
  if (!key.supported) return Error{"segments are encrypted in a way that is not supported"};
  std::string url = TRY(resolve(key.uri));
  auto known = std::find_if(keys_.begin(), keys_.end(), [&](const auto &entry) { return entry.first == url; });
  if (known == keys_.end()) {
    out = Fetch{.kind = Fetch::Kind::Key, .url = std::move(url)};
    return false;
  }
  fetch.cipher = Cipher{known->second, initialisation_vector(key, number)};
  return true;
}

Result<Fetch> Follower::fetch_of(const SourceSegment &segment) {
  Fetch needed;
  if (segment.map) {
    const SourceMap &map = playlist_->maps[*segment.map];
    Fetch fetch{.kind = Fetch::Kind::Map, .url = TRY(resolve(map.uri)), .range = map.range};
    fetch.discontinuity = segment.discontinuity_sequence;
    if (map_ != LoadedMap{fetch.url, fetch.range}) {
      if (!TRY(find_cipher(map.key, segment.number, fetch, needed))) return needed;
      return fetch;
    }
  }
  Fetch fetch;
  fetch.discontinuity = segment.discontinuity_sequence;
  bool whole = !segment.uri.empty() && next_.parts == 0;
  if (whole) {
    fetch.url = TRY(resolve(segment.uri));
    fetch.range = segment.range;
  } else {
    const SourcePart &part = segment.parts[next_.parts];
    fetch.url = TRY(resolve(part.uri));
    fetch.range = part.range;
    fetch.begins_segment = next_.parts == 0;
    fetch.ends_segment = !segment.uri.empty() && next_.parts + 1 == segment.parts.size();
  }
  if (!TRY(find_cipher(segment.key, segment.number, fetch, needed))) return needed;
  return fetch;
}

Result<std::optional<Fetch>> Follower::next() {
  if (offered_) return offered_;
  const SourceSegment *segment = skip_to_media();
  if (segment == nullptr) return std::optional<Fetch>();
  offered_ = TRY(fetch_of(*segment));
  offered_whole_ = !segment->uri.empty() && next_.parts == 0;
  offered_at_ = next_;
  return offered_;
}

// The playlist may have moved on meanwhile.
void Follower::done() {
  std::optional<Fetch> fetch = std::exchange(offered_, std::nullopt);
  if (!fetch) return;
  if (fetch->kind == Fetch::Kind::Map)
    map_ = LoadedMap{std::move(fetch->url), fetch->range};
  else if (next_ == offered_at_ && offered_whole_)
    next_segment();
  else if (next_ == offered_at_)
    next_.parts++;
}

Result<void> Follower::on_key(Bytes key) {
  std::optional<Fetch> fetch = std::exchange(offered_, std::nullopt);
  if (!fetch) return {};
  if (key.size() != kAesBlock) return Error{fmt::format("a key of {} bytes; expected {}", key.size(), kAesBlock)};
  if (keys_.size() == kMaxCachedKeys) keys_.pop_front();
  auto &added = keys_.emplace_back();
  added.first = std::move(fetch->url);
  std::copy(key.begin(), key.end(), added.second.begin());
  return {};
}

bool Follower::finished() {
  return ended() && !offered_ && skip_to_media() == nullptr;
}

Nanoseconds Follower::listed_ahead() const {
  if (!playlist_ || !begun_) return 0;
  Nanoseconds ahead = 0;
  for (auto segment = playlist_->segments.rbegin(); segment != playlist_->segments.rend(); ++segment) {
    if (segment->number < next_.number) break;
    ahead += segment->duration;
    if (segment->number != next_.number) continue;
    for (size_t i = 0; i < std::min(next_.parts, segment->parts.size()); i++) ahead -= segment->parts[i].duration;
  }
  return ahead;
}

} // namespace sluice::hls
