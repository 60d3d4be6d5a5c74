#include "workers/rtsp/source.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "workers/rtsp/protocol/interleaved.h"
#include "workers/rtsp/server.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

ClientTransport to_client(control::SourceTransport transport) {
  switch (transport) {
  case control::SourceTransport::Automatic:
    return ClientTransport::Automatic;
  case control::SourceTransport::Udp:
    return ClientTransport::Udp;
  case control::SourceTransport::Multicast:
    return ClientTransport::Multicast;
  case control::SourceTransport::Tcp:
    return ClientTransport::Tcp;
  }
  return ClientTransport::Automatic;
}

ClientOptions options_of(const control::StartSource &start, Url url, const Server &server) {
  return {.url = std::move(url),
          .transport = to_client(start.transport),
          .any_port = start.any_port,
          .read_timeout = server.settings().read_timeout_ns,
          .client_nonce = fmt::format("{:016x}{:016x}", secure_random(), secure_random())};
}

} // namespace

Result<std::unique_ptr<worker::Source>> Source::create(Server &server, const control::StartSource &start,
                                                       const std::vector<Fd> &fds) {
  Url url = TRY(parse_url(start.url));
  SourceConnection::Target target = TRY(server.sources().target_of(start, fds, url.host, url.tls));
  worker::Sources::Records records = TRY(server.sources().take_records());
  auto source = std::make_unique<Source>(server, start, url, std::move(target), records);
  wipe(url.userinfo);
  return source;
}

Source::Source(Server &server, const control::StartSource &start, Url url, SourceConnection::Target target,
               worker::Sources::Records records)
    : worker::Source(start.source, start.path), server_(server), any_port_(start.any_port), record_(*records.session),
      client_(options_of(start, std::move(url), server)),
      connection_(server, *this, *records.connection, std::move(target)), sockets_(server, *this, *records.session),
      timer_(server.event_loop(), *this) {}

Source::~Source() {
  publisher_.reset();
  sockets_.close();
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
  ClientEffects effects;
  client_.on_connected(now(), effects);
  perform(effects);
}

size_t Source::on_received(Bytes input) {
  server_.note_blame(record_.id);
  Nanoseconds at = received_at_ = now();
  received_wall_ = wall_now();
  record_.last_active_ns.store(at, std::memory_order_relaxed);
  size_t taken = 0;
  ClientEffects effects;
  while (phase_ == Phase::Pulling && connection_.connected() && !connection_.paused()) {
    size_t count = client_.on_input(input.subspan(taken), at, *this, effects);
    taken += count;
    if (!effects.empty()) perform(effects);
    if (count == 0) break;
  }
  if (phase_ == Phase::Pulling) watch_deadline(); // an answer may have moved it, without any effect
  if (publisher_ == nullptr || !publisher_->recording() || !client_.over_tcp()) return taken;
  publisher_->commit(0, at);
  if (publisher_->congested(at)) connection_.pause();
  return taken;
}

void Source::on_disconnected(const std::string &reason) {
  if (phase_ == Phase::Leaving) return retire();
  fail(reason);
}

void Source::on_all_sent() {
  if (phase_ == Phase::Leaving) connection_.finish();
}

// --- media ---

Result<void> Source::on_interleaved(size_t track, bool rtcp, Bytes packet) {
  record_.bytes_in.fetch_add(packet.size(), std::memory_order_relaxed);
  record_.packets_in.fetch_add(1, std::memory_order_relaxed);
  if (publisher_ == nullptr) return {};
  auto index = static_cast<uint32_t>(track);
  if (!rtcp) return publisher_->on_rtp(index, packet, received_at_, received_wall_);
  if (auto read = publisher_->on_rtcp(index, packet, received_at_); !read)
    log(LogLevel::Debug, "[RTSP] report of a source can't be read: {}", read.error().message);
  return {};
}

void Source::on_datagram(size_t track, bool rtcp, Bytes datagram, Nanoseconds wall) {
  if (publisher_ == nullptr || !publisher_->recording()) return;
  auto index = static_cast<uint32_t>(track);
  Nanoseconds at = now();
  auto read = rtcp ? publisher_->on_rtcp(index, datagram, at) : publisher_->on_rtp(index, datagram, at, wall);
  if (read) client_.on_packet(at); // anyone can send rubbish
}

void Source::on_datagrams_end() {
  if (publisher_ != nullptr && publisher_->recording()) publisher_->commit(0, now());
}

void Source::on_uncongested() {
  connection_.resume();
}

void Source::on_receiver_report(uint32_t track, Bytes rtcp) {
  if (!client_.over_tcp()) return sockets_.send_rtcp(track, rtcp);
  if (!client_.playing()) return;
  std::string frame{static_cast<char>(kFrameMark), static_cast<char>(rtcp_channels_[track])};
  frame += static_cast<char>(rtcp.size() >> 8);
  frame += static_cast<char>(rtcp.size() & 0xff);
  frame += as_text(rtcp);
  (void)connection_.send(frame); // one that is left out is followed by the next
}

// --- effects ---

void Source::perform(ClientEffects &effects) {
  ClientEffects current = std::exchange(effects, {});
  for (ClientEffect &effect : current) {
    if (phase_ != Phase::Pulling) return;
    std::visit([this](auto &which) { perform(which); }, effect);
  }
  if (phase_ == Phase::Pulling) watch_deadline();
}

void Source::perform(client::Send &effect) {
  if (!connection_.send(effect.bytes)) fail("the server does not read");
}

void Source::perform(const client::OpenPorts &effect) {
  auto ports = sockets_.open(effect.track, connection_.peer());
  if (!ports) return fail(ports.error().message);
  ClientEffects more;
  client_.on_ports(*ports, now(), more);
  perform(more);
}

void Source::perform(const client::TrackSetUp &effect) {
  rtcp_channels_[effect.track] = static_cast<uint8_t>(effect.route.channels.rtcp);
  auto connected = sockets_.connect(effect.track, effect.route, connection_.peer(), connection_.local(), any_port_);
  if (!connected) fail(connected.error().message);
}

void Source::perform(const client::Ready &) {
  if (publisher_ != nullptr) { // it is the second time, over TCP
    if (client_.description() != description_) return fail("the tracks have changed");
    return play();
  }
  if (std::exchange(asked_, true)) return; // granted meanwhile: it plays then
  description_ = client_.description();
  server_.supervisor().send(control::SourceReady{
      .request = server_.sources().request_of(*this), .source = id(), .description = description_});
}

void Source::perform(const client::StartOver &) {
  log(LogLevel::Debug, "[RTSP] source {}: no media over UDP, trying TCP", id());
  if (publisher_ != nullptr) publisher_->stop();
  sockets_.close();
  connection_.close();
  connection_.connect();
}

void Source::perform(const client::Moved &effect) {
  publisher_.reset();
  server_.supervisor().send(control::SourceMoved{.source = id(), .url = effect.url.text()});
  leave();
}

void Source::perform(const client::Failed &effect) {
  fail(effect.reason);
}

// --- the supervisor ---

void Source::on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) {
  if (phase_ != Phase::Pulling || publisher_ != nullptr) return;
  record_.stream = granted.stream;
  auto publisher = Publisher::create(server_, *this, granted, rings, description_);
  if (!publisher) return fail(publisher.error().message);
  publisher_ = std::move(*publisher);
  publisher_->leave_ring_open(); // the supervisor ends streams; another attempt may continue this one
  play();
}

void Source::play() {
  publisher_->start(!client_.over_tcp());
  if (client_.over_tcp()) connection_.expect_media();
  ClientEffects effects;
  client_.play(now(), effects);
  perform(effects);
}

// --- time ---

// Packets move the deadline on without touching the timer, which then looks again.
void Source::watch_deadline() {
  auto due = client_.deadline();
  if (!due) return;
  if (timer_due_ && *timer_due_ <= *due) return;
  timer_due_ = due;
  timer_.start(std::max<Nanoseconds>(*due - now(), 0));
}

void Source::on_timer(loop::Timer &) {
  timer_due_.reset();
  if (phase_ == Phase::Leaving) return retire();
  if (phase_ != Phase::Pulling) return;
  ClientEffects effects;
  client_.on_time(now(), effects);
  perform(effects);
}

void Source::on_second(Nanoseconds now) {
  if (publisher_ == nullptr || !publisher_->recording()) return;
  publisher_->on_second(now);
  record_.lost.store(publisher_->lost(), std::memory_order_relaxed);
  record_.jitter_us.store(publisher_->jitter_us(), std::memory_order_relaxed);
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
  ClientEffects effects;
  client_.stop(now(), effects);
  for (ClientEffect &effect : effects)
    if (auto *send = std::get_if<client::Send>(&effect)) (void)connection_.send(send->bytes);
  phase_ = Phase::Leaving;
  server_.sources().let_go(*this);
  sockets_.close();
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

} // namespace sluice::rtsp
