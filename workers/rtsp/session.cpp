#include "workers/rtsp/session.h"

#include "common/base/log.h"
#include "common/rtp/rtcp.h"
#include "workers/base/sender_state.h"
#include "workers/rtsp/connection.h"
#include "workers/rtsp/protocol/interleaved.h"
#include "workers/rtsp/server.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr Nanoseconds kPlayTimeout = 60 * kSecond;

struct IgnoreReports final : rtp::RtcpListener {};

} // namespace

Session::Session(Server &server, shm::SessionRecord &record, const loop::SocketAddress &local,
                 const Connection &connection)
    : server_(server), record_(record), local_(local), peer_(connection.peer_address()), tls_(connection.tls()) {
  connection.peer().copy(record_.peer, sizeof record_.peer - 1);
  record_.tls = tls_;
}

Session::~Session() {
  server_.allocator().give_back(record_);
}

Connection *Session::media_connection() {
  return server_.find_connection(state().tcp_connection);
}

// --- granted ---

Result<void> Session::granted_publish(const control::PublishGranted &granted, const std::vector<Fd> &rings,
                                      const media::StreamDescription &description) {
  description_ = description;
  record_.stream = granted.stream;
  publisher_ = TRY(Publisher::create(server_, *this, granted, rings, description));
  return {};
}

Result<void> Session::granted_read(Stream &stream, bool from_key_frame) {
  from_key_frame_ = from_key_frame;
  if (stream_ != nullptr) server_.streams().leave(*stream_);
  stream_ = &stream;
  record_.stream = stream.id();
  auto description = stream.newest().reader().description();
  if (!description || !media::is_valid(*description)) return Error{"the stream's description can't be read"};
  description_ = std::move(*description);
  return {};
}

Result<control::JoinMulticast> Session::join_of() {
  interface_ = TRY(server_.multicast().interface_of(local_));
  return control::JoinMulticast{.session = id(), .interface = interface_};
}

Result<void> Session::join(const control::MulticastGranted &granted) {
  if (seat_) return {};
  if (granted.groups.size() != track_count()) return Error{"the groups of the stream do not fit its tracks"};
  MulticastSeat seat{record_.stream, interface_, peer_};
  TRY(server_.multicast().join(seat, granted));
  seat_ = std::move(seat);
  for (const std::string &address : granted.groups)
    groups_.push_back({address, {granted.rtp_port, granted.rtcp_port}, granted.ttl});
  return {};
}

const MulticastGroup *Session::group_of(uint32_t track) {
  return track < groups_.size() ? &groups_[track] : nullptr;
}

// --- playing ---

std::optional<uint32_t> Session::ssrc_of(uint32_t track) const {
  if (stream_ == nullptr || track >= description_.tracks.size()) return std::nullopt;
  auto state = stream_->newest().reader().track_state(track);
  return state && state->has_traffic ? std::optional(state->ssrc) : std::nullopt;
}

Start Session::choose_start() {
  return stream_->start(from_key_frame_);
}

// What is said about the first packets is about those that will be sent.
void Session::prepare_play() {
  beginning_.reset();
  if (by_multicast()) return;
  start_ = choose_start();
  if (!start_->random_access) return start_.reset(); // live, which is later than now
  uint32_t wanted = 0;
  for (size_t i = 0; i < description_.tracks.size(); i++) wanted |= uint32_t{state().tracks[i].is_set_up != 0} << i;
  beginning_ = beginning_at(start_->generation->reader(), start_->cursor, wanted, description_);
}

std::vector<RtpInfo> Session::rtp_info(Nanoseconds now) {
  if (beginning_) return beginning_->tracks;
  std::vector<RtpInfo> tracks;
  if (stream_ == nullptr) return tracks;
  for (uint32_t i = 0; i < description_.tracks.size(); i++) {
    if (state().tracks[i].is_set_up == 0) continue;
    auto track = stream_->newest().reader().track_state(i);
    if (!track) continue;
    auto info = rtp::rtp_info(worker::from_ring(*track), description_.tracks[i].clock_rate, now);
    if (info) tracks.push_back({i, info->sequence, info->rtp_time.value_or(track->last_rtp_timestamp)});
  }
  return tracks;
}

void Session::enter_play() {
  if (by_multicast()) return; // the stream has one sender for all
  reader_ = std::make_unique<Reader>(*this, media_connection(), description_);
  stream_->add(*reader_, start_ ? *start_ : stream_->start(false));
  start_.reset();
}

void Session::start_play() {
  log(LogLevel::Info, "[{}] [session {}] is reading from path '{}', {}", label(), log_id(), state().path_text(),
      media_text());
  record_.carrier.store(carrier(), std::memory_order_relaxed);
  server_.supervisor().send(control::Playing{.session = id()});
  if (by_multicast()) return;
  send_initial_reports(now());
  beginning_.reset();
  if (!closed_) schedule_round(); // else the client does not read
}

void Session::pause_play() {
  stop_play();
  server_.supervisor().send(control::ReaderPaused{.session = id()});
}

void Session::stop_play() {
  if (reader_ == nullptr) return;
  reader_->note_still_missing();
  stream_->remove(*reader_);
  reader_.reset();
}

void Session::schedule_round() {
  server_.streams().schedule_round(record_.stream);
}

void Session::schedule_round_later() {
  server_.streams().schedule_round_later(record_.stream);
}

Nanoseconds Session::now() const {
  return server_.event_loop().now();
}

// A sender report at once, so that a reader need not wait for the stream's next to synchronise its tracks. It is about
// the time that its media begin with: clients ignore what is far from their packets.
void Session::send_initial_reports(Nanoseconds now) {
  Nanoseconds about = beginning_ ? beginning_->instant : now, wall = wall_now() - (now - about);
  for (uint32_t i = 0; i < description_.tracks.size(); i++) {
    auto track = stream_->newest().reader().track_state(i);
    if (state().tracks[i].is_set_up == 0 || !track) continue;
    auto report = rtp::sender_report(worker::from_ring(*track), description_.tracks[i].clock_rate, about, wall);
    if (!report) continue;
    send_rtcp(i, rtp::make_sender_report(*report, "sluice").bytes());
    if (closed_) return;
  }
}

// --- publishing ---

void Session::start_record() {
  log(LogLevel::Info, "[{}] [session {}] is publishing to path '{}', {}", label(), log_id(), state().path_text(),
      media_text());
  record_.carrier.store(carrier(), std::memory_order_relaxed);
  keep_alive(server_.event_loop().now());
  publisher_->start(over_udp());
  if (over_udp()) punch_holes();
}

void Session::stop_record() {
  if (publisher_ == nullptr || !publisher_->recording()) return;
  publisher_->stop();
  server_.supervisor().send(control::PublisherPaused{.session = id()});
}

Result<void> Session::on_frame(uint8_t channel, Bytes payload, Nanoseconds now, Nanoseconds wall) {
  size_t track = 0;
  while (track < state().track_count &&
         (state().tracks[track].is_set_up == 0 || state().tracks[track].rtp_channel != (channel & ~1)))
    track++;
  if (track == state().track_count) return {};
  bool rtcp = (channel & 1) != 0;
  record_.bytes_in.fetch_add(payload.size(), std::memory_order_relaxed);
  record_.packets_in.fetch_add(1, std::memory_order_relaxed);
  if (state().state == State::Record) {
    if (track >= state().carried_count()) return {};
    if (!rtcp) return publisher_->on_rtp(static_cast<uint32_t>(track), payload, now, wall);
  } else {
    if (!rtcp) return {};
    keep_alive(now);
  }
  if (auto report = on_report(static_cast<uint32_t>(track), payload, now); !report) note_malformed(report.error());
  return {};
}

Result<void> Session::on_report(uint32_t track, Bytes rtcp, Nanoseconds now) {
  if (state().state == State::Record) return publisher_->on_rtcp(track, rtcp, now);
  IgnoreReports ignore;
  return rtp::parse_rtcp(rtcp, ignore);
}

// The frame around it tells where the next one begins, and no media are lost with it, so it is ignored: GStreamer's
// rtspclientsink tears its last report now and then.
void Session::note_malformed(const Error &error) {
  if (record_.malformed.fetch_add(1, std::memory_order_relaxed) > 0) return;
  log(LogLevel::Warn, "[{}] [session {}] RTCP packets that can't be read are ignored: {}", label(), log_id(),
      error.message);
}

void Session::on_input_end(uint64_t input_position, Nanoseconds now) {
  if (publisher_ == nullptr || !publisher_->recording()) return;
  publisher_->commit(input_position, now);
  if (Connection *connection = media_connection(); connection != nullptr && publisher_->congested(now))
    connection->pause_input();
}

void Session::on_uncongested() {
  if (Connection *connection = media_connection()) connection->resume_input();
}

void Session::on_receiver_report(uint32_t track, Bytes rtcp) {
  send_rtcp(track, rtcp);
}

void Session::send_rtcp(uint32_t track, Bytes rtcp) {
  if (over_udp()) {
    (void)::send(record_.sockets[2 * track + 1].fd, rtcp.data(), rtcp.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return; // one that is lost is followed by the next
  }
  Connection *connection = media_connection();
  if (connection == nullptr) return;
  ByteVector frame{kFrameMark, static_cast<uint8_t>(state().tracks[track].rtp_channel + 1), 0, 0};
  store_be16(frame.data() + 2, static_cast<uint16_t>(rtcp.size()));
  frame.insert(frame.end(), rtcp.begin(), rtcp.end());
  connection->send(frame);
}

// --- time and end ---

void Session::on_second(Nanoseconds now) {
  if (publisher_ != nullptr && publisher_->recording()) {
    publisher_->on_second(now);
    record_.lost.store(publisher_->lost(), std::memory_order_relaxed);
    record_.jitter_us.store(publisher_->jitter_us(), std::memory_order_relaxed);
    note_foreign_payload();
    note_heard_all();
  }
  if (!finish_reason_.empty() && (reader_ == nullptr || !reader_->finishing())) return finish();
  if (by_multicast() && seat_)
    keep_alive(std::max(server_.multicast().heard(*seat_), record_.last_active_ns.load(std::memory_order_relaxed)));
  if (!over_udp() && !by_multicast()) return;
  Nanoseconds silent = now - record_.last_active_ns.load(std::memory_order_relaxed);
  if (state().state == State::Record && silent > server_.settings().read_timeout_ns)
    return close("no UDP packets received in a while");
  if (state().state == State::Play && silent > kPlayTimeout) close("no RTSP requests received in a while");
}

// Once: it goes on like this.
void Session::note_foreign_payload() {
  if (foreign_payload_noted_) return;
  for (size_t i = 0; i < track_count(); i++) {
    auto payload_type = publisher_->foreign_payload(i);
    if (!payload_type) continue;
    foreign_payload_noted_ = true;
    return log(LogLevel::Warn,
               "[{}] [session {}] packets of payload type {} are dropped: that of track {} is {}, the first of its "
               "media line",
               label(), log_id(), *payload_type, i, description_.tracks[i].payload_type);
  }
}

shm::Carrier Session::carrier() {
  return by_multicast() ? shm::Carrier::Multicast : over_udp() ? shm::Carrier::Udp : shm::Carrier::Tcp;
}

std::string Session::media_text() {
  size_t tracks = 0;
  for (size_t i = 0; i < state().carried_count(); i++) tracks += state().tracks[i].is_set_up;
  const char *transport = by_multicast() ? "UDP-multicast" : over_udp() ? "UDP" : "TCP";
  return fmt::format("{} track{} with {}", tracks, tracks == 1 ? "" : "s", transport);
}

void Session::deliver_rest() {
  if (reader_ == nullptr || reader_->blocked()) return;
  reader_->on_writable();
}

void Session::close_after_rest(const std::string &reason) {
  deliver_rest();
  if (closed_) return;
  bool over = reader_ != nullptr && reader_->generation()->reader().state() == ring::RingState::Ended;
  if (!over || !reader_->finish()) return close(reason);
  finish_reason_ = reason;
}

void Session::finish() {
  close(finish_reason_);
}

void Session::warn_too_slow() {
  log(LogLevel::Warn, "[{}] [session {}] is too slow: packets are left out", label(), log_id());
}

void Session::log_losses() {
  auto count = [](const std::atomic<uint64_t> &counter) { return counter.load(std::memory_order_relaxed); };
  uint64_t left_out = count(record_.left_out), skips = count(record_.skips), others = count(record_.dropped) - left_out;
  if (left_out > 0)
    log(LogLevel::Info, "[{}] [session {}] was too slow: {} packets left out in {} gap{}", label(), log_id(), left_out,
        skips, skips == 1 ? "" : "s");
  if (others > 0)
    log(LogLevel::Info, "[{}] [session {}] {} packets could not be sent over UDP", label(), log_id(), others);
  if (uint64_t malformed = count(record_.malformed); malformed > 0)
    log(LogLevel::Info, "[{}] [session {}] {} RTCP packets could not be read", label(), log_id(), malformed);
}

void Session::close(const std::string &reason, const Connection *except) {
  if (std::exchange(closed_, true)) return;
  for (size_t i = 0; publisher_ != nullptr && i < track_count() && log_enabled(LogLevel::Debug); i++)
    log(LogLevel::Debug, "[{}] [session {}] packets of track {}: {}", label(), log_id(), i,
        publisher_->statistics_text(i));
  stop_play();
  log_losses();
  log(LogLevel::Info, "[{}] [session {}] destroyed ({})", label(), log_id(), reason);
  publisher_.reset();
  close_sockets();
  if (stream_ != nullptr) server_.streams().leave(*std::exchange(stream_, nullptr));
  server_.release(record_, std::string(state().path_text()));
  Connection *connection = media_connection();
  server_.retire(*this);
  if (connection != nullptr && connection != except) connection->close(reason);
}

} // namespace sluice::rtsp
