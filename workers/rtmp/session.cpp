#include "workers/rtmp/session.h"

#include "common/base/log.h"
#include "common/base/secret.h"
#include "workers/rtmp/connection.h"
#include "workers/rtmp/muxers.h"
#include "workers/rtmp/server.h"

#include <algorithm>
#include <utility>

namespace sluice::rtmp {
namespace {

Refusal refusal_of(control::Refusal refusal, Session::Role role) {
  using From = control::Refusal;
  bool publishes = role == Session::Role::Publish;
  switch (refusal) {
  case From::BadRequest:
    return publishes ? Refusal::BadName : Refusal::StreamNotFound;
  case From::NoPublisher:
    return publishes ? Refusal::BadName : Refusal::StreamNotFound;
  case From::Unavailable:
  case From::Unauthorized:
  case From::Forbidden:
    return publishes ? Refusal::PublishDenied : Refusal::PlayFailed;
  }
  return Refusal::PlayFailed;
}

std::string tracks_text(size_t count) {
  return std::to_string(count) + (count == 1 ? " track" : " tracks");
}

} // namespace

Session::Session(Server &server, Connection &connection, shm::SessionRecord &record, Role role, std::string path)
    : server_(server), connection_(connection), record_(record), role_(role), path_(std::move(path)) {
  record_.connection = connection.id();
  record_.log_id = connection.log_id();
  record_.carrier = shm::Carrier::Tcp;
  record_.tls = connection.tls();
  for (shm::MediaSocket &socket : record_.sockets) socket.fd = -1;
  std::string_view(connection.peer()).copy(record_.peer, sizeof record_.peer - 1);
}

Session::~Session() {
  close();
  server_.allocator().give_back(record_);
}

uint32_t Session::stream_number() const {
  return connection_.machine().stream();
}

void Session::ask(std::string &query) {
  control::RequestId request = server_.ask(connection_);
  connection_.expect(request);
  auto send = [this](auto question) {
    control::Message message(std::move(question));
    server_.supervisor().send(message);
    std::visit(
        [](auto &m) {
          if constexpr (requires { m.query; }) wipe(m.query);
        },
        message);
  };
  if (role_ == Role::Publish)
    send(control::Admit{.request = request,
                        .session = id(),
                        .log_id = record_.log_id,
                        .tls = connection_.tls(),
                        .path = path_,
                        .query = std::move(query),
                        .client = connection_.peer(),
                        .credentials = {}});
  else
    send(control::Read{.request = request,
                       .session = id(),
                       .log_id = record_.log_id,
                       .tls = connection_.tls(),
                       .path = path_,
                       .query = std::move(query),
                       .client = connection_.peer(),
                       .credentials = {}});
  wipe(query);
}

void Session::on_answer(control::Received &received) {
  if (state_ == State::Closed) return;
  if (std::get_if<control::Admitted>(&received.message) != nullptr)
    on_admitted();
  else if (auto *publish = std::get_if<control::PublishGranted>(&received.message))
    on_granted(*publish, received.descriptors);
  else if (std::get_if<control::Recorded>(&received.message) != nullptr)
    on_recorded();
  else if (auto *read = std::get_if<control::ReadGranted>(&received.message);
           read != nullptr && received.descriptors.size() == 1)
    on_granted(*read, received.descriptors[0]);
  else if (auto *refused = std::get_if<control::Refused>(&received.message))
    on_refused(*refused);
}

void Session::on_refused(const control::Refused &refused) {
  refuse(refusal_of(refused.refusal, role_), refused.reason);
  if (refused.refusal == control::Refusal::Unauthorized)
    connection_.close_later(refused.reason);
  else
    connection_.close(refused.reason);
}

void Session::refuse(Refusal refusal, const std::string &reason) {
  ByteVector out;
  if (state_ == State::Asking)
    connection_.machine().refuse(refusal, reason, out);
  else
    connection_.machine().end_publish(out);
  (void)connection_.send(out); // it is closed anyway
}

// --- publishing ---

void Session::on_admitted() {
  state_ = State::Finding;
  if (connection_.machine().client().enhanced) finder_.expect_enhanced();
  ByteVector out;
  connection_.machine().accept_publish(out);
  if (connection_.send(out)) connection_.go_on();
}

Result<void> Session::on_media(const MediaMessage &message) {
  record_.packets_in.fetch_add(1, std::memory_order_relaxed);
  record_.bytes_in.fetch_add(message.payload.size(), std::memory_order_relaxed);
  if (state_ == State::Active) {
    TRY(publisher_->on_media(message, connection_.received_at(), connection_.received_wall()));
    congested_ = publisher_->holds();
    return {};
  }
  return find_tracks(message);
}

// What came meanwhile is published once all is known, so that nothing is missing.
Result<void> Session::find_tracks(const MediaMessage &message) {
  if (state_ == State::Finding) TRY(finder_.on_media(message));
  held_bytes_ += sizeof(HeldMessage) + message.payload.size();
  held_.emplace_back(message);
  if (held_bytes_ > kMaxHeldBytes && !finder_.done()) TRY(finder_.finish());
  if (finder_.done() && state_ == State::Finding) announce();
  return {};
}

void Session::announce() {
  state_ = State::Announcing;
  holds_input_ = true;
  control::RequestId request = server_.ask(connection_);
  connection_.expect(request);
  server_.supervisor().send(control::Publish{.request = request,
                                             .session = id(),
                                             .log_id = record_.log_id,
                                             .tls = connection_.tls(),
                                             .path = path_,
                                             .query = {},
                                             .client = connection_.peer(),
                                             .credentials = {},
                                             .description = description_of(finder_.tracks())});
}

void Session::on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) {
  record_.stream = granted.stream;
  auto publisher = Publisher::create(server_, *this, granted, rings, finder_.tracks());
  if (!publisher) return connection_.close(publisher.error().message);
  publisher_ = std::move(*publisher);
  control::RequestId request = server_.ask(connection_);
  connection_.expect(request);
  server_.supervisor().send(control::Record{.request = request, .session = id()});
}

void Session::on_recorded() {
  state_ = State::Active;
  log(LogLevel::Info, "[{}] [conn {}] is publishing to path '{}', {}", connection_.label(), connection_.peer(), path_,
      tracks_text(finder_.tracks().size()));
  Nanoseconds now = server_.event_loop().now();
  for (const HeldMessage &held : std::exchange(held_, {})) {
    auto taken = publisher_->on_media(held.message(), now, wall_now());
    if (!taken) return connection_.close(taken.error().message);
  }
  held_bytes_ = 0;
  holds_input_ = false;
  publisher_->commit(0, now);
  congested_ = publisher_->congested(now);
  connection_.go_on();
}

void Session::on_input_end(uint64_t input_position, Nanoseconds now) {
  if (state_ != State::Active || !publisher_) return;
  publisher_->commit(input_position, now);
  congested_ = publisher_->congested(now);
}

void Session::on_uncongested() {
  congested_ = false;
  connection_.go_on();
}

// --- reading ---

void Session::on_granted(const control::ReadGranted &granted, const Fd &ring) {
  if (auto begun = begin_reading(granted, ring); !begun) {
    refuse(Refusal::StreamNotFound, begun.error().message);
    connection_.close(begun.error().message);
  }
}

Result<void> Session::begin_reading(const control::ReadGranted &granted, const Fd &ring) {
  record_.stream = granted.stream;
  stream_ = TRY(server_.streams().enter(granted.stream, ring.get()));
  auto description = stream_->newest().reader().description();
  if (!description) return Error{"the stream's description can't be read"};
  Selection selection = TRY(select_tracks(*description, connection_.machine().client()));
  Muxer *muxer = TRY(server_.muxers().find_or_create(*stream_, selection, granted.from_key_frame));
  reader_ = std::make_unique<Reader>(*this, *muxer, granted.from_key_frame);
  state_ = State::Active;
  ByteVector out;
  connection_.machine().accept_play(out);
  server_.supervisor().send(control::Playing{.session = id()});
  size_t tracks = selection.audio.size() + (selection.video ? 1 : 0);
  log(LogLevel::Info, "[{}] [conn {}] is reading from path '{}', {}", connection_.label(), connection_.peer(), path_,
      tracks_text(tracks));
  if (!connection_.send(out)) return {};
  server_.streams().schedule_round(stream_->id());
  connection_.go_on();
  return {};
}

void Session::on_writable() {
  if (reader_ && state_ == State::Active) reader_->on_writable();
}

void Session::set_paused(bool paused) {
  if (std::exchange(paused_, paused) == paused || paused || !stream_) return;
  server_.streams().schedule_round(stream_->id());
}

void Session::warn_too_slow() {
  log(LogLevel::Warn, "[{}] [conn {}] is too slow: messages are left out", connection_.label(), connection_.peer());
}

void Session::deliver_rest() {
  if (!reader_ || state_ != State::Active) return;
  reader_->muxer().catch_up();
  if (state_ == State::Active) reader_->serve();
}

// --- time and end ---

void Session::on_second(Nanoseconds now) {
  if (publisher_ && state_ == State::Active) publisher_->on_second(now);
}

void Session::close() {
  if (std::exchange(state_, State::Closed) == State::Closed) return;
  publisher_.reset();
  held_.clear();
  if (reader_) {
    Muxer &muxer = reader_->muxer();
    muxer.remove(*reader_);
    server_.muxers().leave(muxer);
    uint64_t left_out = record_.left_out.load(std::memory_order_relaxed);
    uint64_t skips = record_.skips.load(std::memory_order_relaxed);
    if (left_out > 0)
      log(LogLevel::Info, "[{}] [conn {}] was too slow: {} messages left out in {} gap{}", connection_.label(),
          connection_.peer(), left_out, skips, skips == 1 ? "" : "s");
  }
  if (stream_ != nullptr) server_.streams().leave(*std::exchange(stream_, nullptr));
  server_.remove_session(static_cast<uint32_t>(id()));
  server_.release(record_, path_);
}

} // namespace sluice::rtmp
