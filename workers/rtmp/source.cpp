#include "workers/rtmp/source.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "workers/rtmp/server.h"

#include <algorithm>
#include <utility>

namespace sluice::rtmp {

Result<std::unique_ptr<worker::Source>> Source::create(Server &server, const control::StartSource &start,
                                                       const std::vector<Fd> &fds) {
  Url url = TRY(parse_url(start.url));
  std::string host = url.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  auto target = TRY(server.sources().target_of(start, fds, std::move(host), url.tls));
  worker::Sources::Records records = TRY(server.sources().take_records());
  auto source = std::make_unique<Source>(server, start, url, std::move(target), records);
  wipe(url.userinfo);
  return source;
}

Source::Source(Server &server, const control::StartSource &start, Url url, worker::SourceConnection::Target target,
               worker::Sources::Records records)
    : worker::Source(start.source, start.path), server_(server), record_(*records.session),
      machine_({.url = std::move(url), .seed = secure_random()}),
      connection_(server, *this, *records.connection, std::move(target)), last_media_ns_(server.event_loop().now()),
      timer_(server.event_loop(), *this) {
  for (shm::MediaSocket &socket : record_.sockets) socket.fd = -1;
}

Source::~Source() {
  publisher_.reset();
  server_.release(record_, path());
  server_.allocator().give_back(record_);
}

Nanoseconds Source::now() const {
  return server_.event_loop().now();
}

void Source::begin() {
  connection_.connect();
}

// --- the connection ---

void Source::on_connected() {
  std::string peer = connection_.peer().text();
  std::fill(std::begin(record_.peer), std::end(record_.peer), '\0');
  peer.copy(record_.peer, sizeof record_.peer - 1);
  record_.connection = connection_.id();
  last_media_ns_ = now();
  watch_deadline();
  ByteVector out;
  machine_.start(out);
  send(out);
}

void Source::send(ByteVector &bytes) {
  if (bytes.empty() || phase_ == Phase::Retired) return;
  std::string text(as_text(bytes));
  wipe(bytes);
  bytes.clear();
  if (!connection_.send(text) && phase_ == Phase::Pulling) fail("the server does not read");
}

size_t Source::on_received(Bytes input) {
  server_.note_blame(record_.id);
  received_at_ = now();
  received_wall_ = wall_now();
  record_.last_active_ns.store(received_at_, std::memory_order_relaxed);
  size_t taken = 0;
  ClientEffects effects;
  ByteVector out;
  while (phase_ == Phase::Pulling && connection_.connected() && !connection_.paused() && taken < input.size()) {
    auto count = machine_.on_input(input.subspan(taken), *this, effects, out);
    send(out);
    if (!count) {
      fail(count.error().message);
      break;
    }
    if (!effects.empty()) perform(effects);
    if (*count == 0) break;
    taken += *count;
  }
  if (publisher_ == nullptr || phase_ != Phase::Pulling) return taken;
  publisher_->commit(0, received_at_);
  if (publisher_->congested(received_at_)) connection_.pause();
  return taken;
}

void Source::on_disconnected(const std::string &reason) {
  if (phase_ == Phase::Leaving) return retire();
  fail(reason);
}

void Source::on_all_sent() {
  if (phase_ == Phase::Leaving) connection_.finish();
}

// --- effects ---

void Source::perform(ClientEffects &effects) {
  for (ClientEffect &effect : std::exchange(effects, {})) {
    if (phase_ != Phase::Pulling) return;
    if (std::get_if<client::Playing>(&effect) != nullptr) {
      connection_.expect_media();
    } else if (auto *moved = std::get_if<client::Moved>(&effect)) {
      publisher_.reset();
      server_.supervisor().send(control::SourceMoved{.source = id(), .url = moved->url.text()});
      leave();
    } else if (auto *ended = std::get_if<client::Ended>(&effect)) {
      fail(ended->reason);
    } else if (auto *failed = std::get_if<client::Failed>(&effect)) {
      fail(failed->reason);
    }
  }
}

// --- media ---

Result<void> Source::on_media(const MediaMessage &message) {
  last_media_ns_ = received_at_;
  record_.bytes_in.fetch_add(message.payload.size(), std::memory_order_relaxed);
  record_.packets_in.fetch_add(1, std::memory_order_relaxed);
  if (publisher_ != nullptr) return publisher_->on_media(message, received_at_, received_wall_);
  return find_tracks(message);
}

Result<void> Source::find_tracks(const MediaMessage &message) {
  if (!finder_.done()) TRY(finder_.on_media(message));
  held_bytes_ += sizeof(HeldMessage) + message.payload.size();
  held_.emplace_back(message);
  if (held_bytes_ > kMaxHeldBytes && !finder_.done()) TRY(finder_.finish());
  if (!finder_.done() || std::exchange(asked_, true)) return {};
  connection_.pause(); // until the stream is granted
  server_.supervisor().send(control::SourceReady{
      .request = server_.sources().request_of(*this), .source = id(), .description = description_of(finder_.tracks())});
  return {};
}

void Source::on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) {
  if (phase_ != Phase::Pulling || publisher_ != nullptr) return;
  record_.stream = granted.stream;
  auto publisher = Publisher::create(server_, *this, granted, rings, finder_.tracks());
  if (!publisher) return fail(publisher.error().message);
  publisher_ = std::move(*publisher);
  publisher_->leave_ring_open(); // the supervisor ends streams; another attempt may continue this one
  for (const HeldMessage &held : std::exchange(held_, {})) {
    auto taken = publisher_->on_media(held.message(), now(), wall_now());
    if (!taken) return fail(taken.error().message);
  }
  publisher_->commit(0, now());
  last_media_ns_ = now();
  if (!publisher_->congested(now())) connection_.resume();
}

// --- time ---

// Messages move it on without touching the timer, which then looks again.
void Source::watch_deadline() {
  Nanoseconds due = last_media_ns_ + server_.settings().read_timeout_ns;
  timer_.start(std::max<Nanoseconds>(due - now(), kMillisecond));
}

void Source::on_timer(loop::Timer &) {
  if (phase_ == Phase::Leaving) return retire();
  if (phase_ != Phase::Pulling) return;
  bool waits = asked_ && publisher_ == nullptr; // for the supervisor
  if (!waits && now() - last_media_ns_ >= server_.settings().read_timeout_ns)
    return fail(machine_.playing() ? "no media came in a while" : "the server does not answer");
  watch_deadline();
}

void Source::on_second(Nanoseconds now) {
  if (publisher_ != nullptr) publisher_->on_second(now);
}

// --- the end ---

void Source::fail(const std::string &reason) {
  if (phase_ != Phase::Pulling) return;
  publisher_.reset(); // before another may be granted the ring
  server_.supervisor().send(control::SourceFailed{.source = id(), .reason = reason});
  leave();
}

void Source::stop() {
  if (phase_ != Phase::Pulling) return;
  publisher_.reset();
  leave();
}

void Source::leave() {
  phase_ = Phase::Leaving;
  ByteVector out;
  if (connection_.connected()) machine_.stop(out);
  send(out);
  server_.sources().let_go(*this);
  held_.clear();
  if (!connection_.connected()) return retire();
  timer_.start(kFarewell);
  if (!connection_.output_pending()) connection_.finish();
}

void Source::retire() {
  if (phase_ == Phase::Retired) return;
  phase_ = Phase::Retired;
  connection_.close();
  timer_.stop();
  server_.sources().retire(*this);
}

} // namespace sluice::rtmp
