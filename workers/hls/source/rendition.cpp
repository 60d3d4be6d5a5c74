#include "workers/hls/source/rendition.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::hls {
namespace {

constexpr Nanoseconds kShortestAhead = 2 * kSecond; // that is buffered before the next download begins

const char *name_of(Fetch::Kind kind) {
  switch (kind) {
  case Fetch::Kind::Key:
    return "key";
  case Fetch::Kind::Map:
    return "initialisation section";
  case Fetch::Kind::Media:
    return "segment";
  }
  return "";
}

uint64_t limit_of(Fetch::Kind kind) {
  switch (kind) {
  case Fetch::Kind::Key:
    return kMaxKey;
  case Fetch::Kind::Map:
    return kMaxMap;
  case Fetch::Kind::Media:
    return kMaxSegment;
  }
  return 0;
}

} // namespace

Rendition::Rendition(loop::Loop &loop, HttpClient &client, Listener &listener, Place place, std::string url)
    : loop_(loop), listener_(listener), place_(place), follower_(std::move(url)), playlist_(client, *this),
      media_(client, *this), timer_(loop, *this) {}

void Rendition::begin() {
  load();
}

void Rendition::begin(SourceMedia playlist, std::string base) {
  follower_.on_load(now());
  follower_.on_playlist(std::move(playlist), std::move(base), now());
  plan_reload();
  advance();
}

void Rendition::stop() {
  stopped_ = true;
  playlist_.cancel();
  media_.cancel();
  timer_.stop();
}

void Rendition::fail(const std::string &reason) {
  stop();
  listener_.on_failed(reason);
}

// --- the playlist ---

void Rendition::load() {
  auto reload = follower_.reload();
  if (!reload || playlist_.active() || stopped_) return;
  playlist_text_.clear();
  loading_blocks_ = reload->blocks;
  follower_.on_load(now());
  playlist_.start({.url = reload->url, .range = {}, .max_bytes = kMaxPlaylist, .compressed = true}, now());
}

void Rendition::plan_reload() {
  if (auto reload = follower_.reload()) timer_.start(std::max<Nanoseconds>(reload->due - now(), kMillisecond));
}

void Rendition::on_timer(loop::Timer &) {
  load();
}

// One that can't be had for a moment is asked for again.
void Rendition::on_playlist(Result<void> result) {
  if (!result) {
    bool known = follower_.changed_at() != 0;
    if (!known || ++failures_ > kMaxFailures) return fail(fmt::format("{}: {}", place_.name, result.error().message));
    timer_.start(follower_.target_duration() / 2);
    return;
  }
  failures_ = 0;
  auto parsed = parse_playlist(playlist_text_);
  playlist_text_.clear();
  if (!parsed) return fail(fmt::format("{}: {}", place_.name, parsed.error().message));
  auto *media = std::get_if<SourceMedia>(&*parsed);
  if (media == nullptr) return fail(fmt::format("{}: a multivariant playlist inside of another", place_.name));
  Nanoseconds before = follower_.changed_at();
  Nanoseconds ahead = follower_.listed_ahead() + place_.buffer.buffered(place_.index);
  follower_.on_playlist(std::move(*media), playlist_.effective_url(), now());
  if (before != 0 && follower_.changed_at() != before) listener_.on_ahead(*this, ahead);
  if (stopped_) return;
  plan_reload();
  listener_.on_received(0); // it may have ended
  advance();
}

// --- media ---

bool Rendition::wants_more() const {
  Nanoseconds enough = std::max(kShortestAhead, follower_.target_duration() + follower_.target_duration() / 2);
  return !place_.buffer.full() && place_.buffer.buffered(place_.index) < enough;
}

void Rendition::advance() {
  if (stopped_) return;
  if (media_.active()) {
    if (!place_.buffer.full()) media_.resume(now());
    return;
  }
  if (!wants_more()) return;
  auto next = follower_.next();
  if (!next) return fail(next.error().message);
  if (!*next) return;
  fetch_ = std::move(**next);
  key_.clear();
  media_error_.reset();
  if (fetch_.kind != Fetch::Kind::Key) {
    DemuxSink &sink = place_.buffer.sink(place_.index);
    if (auto begun = reader_.begin(fetch_, sink); !begun) return fail(begun.error().message);
    place_.buffer.set_discontinuity(place_.index, fetch_.discontinuity);
  }
  media_.start({.url = fetch_.url, .range = fetch_.range, .max_bytes = limit_of(fetch_.kind)}, now());
}

bool Rendition::has_room(Download &download) {
  return &download == &playlist_ || fetch_.kind != Fetch::Kind::Media || !place_.buffer.full();
}

bool Rendition::on_data(Download &download, Bytes data) {
  listener_.on_received(data.size());
  if (&download == &playlist_) {
    playlist_text_.append(as_text(data));
    return true;
  }
  if (fetch_.kind == Fetch::Kind::Key) {
    key_.insert(key_.end(), data.begin(), data.end());
    return true;
  }
  auto pushed = reader_.push(data, place_.buffer.sink(place_.index));
  if (pushed) pushed = place_.buffer.check();
  if (!pushed) media_error_ = std::move(pushed.error());
  return !media_error_;
}

void Rendition::on_done(Download &download, Result<void> result) {
  if (stopped_) return;
  if (&download == &playlist_) return on_playlist(std::move(result));
  on_media(std::move(result));
}

void Rendition::on_media(Result<void> result) {
  if (media_error_) return fail(media_error_->message);
  if (!result) {
    bool bearable = live() && fetch_.kind == Fetch::Kind::Media && !place_.buffer.tracks().empty();
    if (!bearable || ++media_failures_ > kMaxFailures)
      return fail(fmt::format("{}: {}", name_of(fetch_.kind), result.error().message));
    follower_.done(); // it may have gone meanwhile; the next one is there perhaps
    return advance();
  }
  media_failures_ = 0;
  if (auto finished = finish_media(); !finished) return fail(finished.error().message);
  listener_.on_received(0);
  advance();
}

Result<void> Rendition::finish_media() {
  if (fetch_.kind == Fetch::Kind::Key) return follower_.on_key(key_);
  TRY(reader_.finish(place_.buffer.sink(place_.index)));
  TRY(place_.buffer.check());
  if (fetch_.kind == Fetch::Kind::Media && fetch_.ends_segment) TRY(place_.buffer.on_segment_end(place_.index));
  follower_.done();
  return {};
}

// --- time ---

void Rendition::on_second(Nanoseconds now, Nanoseconds read_timeout) {
  if (stopped_) return;
  Nanoseconds target = follower_.target_duration();
  if (playlist_.silence(now) > read_timeout + (loading_blocks_ ? kBlockingTargets * target : 0))
    return fail(fmt::format("{}: the server does not answer", place_.name));
  if (media_.silence(now) > read_timeout)
    return fail(fmt::format("{}: the server does not answer", name_of(fetch_.kind)));
  bool starves = live() && media_.active() && place_.buffer.buffered(place_.index) == 0 &&
                 now - media_.started_at() > kStalledTargets * target + read_timeout;
  if (starves) return fail(fmt::format("{}: it comes too slowly", name_of(fetch_.kind)));
  bool stalled = follower_.changed_at() != 0 && live() &&
                 now - follower_.changed_at() > std::max(kStalledTargets * target, read_timeout);
  if (stalled) return fail(fmt::format("{}: it has had no new segments for a while", place_.name));
}

} // namespace sluice::hls
