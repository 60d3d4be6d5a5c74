// What a connection does about a request: decides, asks the supervisor, acts on its answer, replies.
#include "common/base/log.h"
#include "common/base/secret.h"
#include "workers/rtsp/connection.h"
#include "workers/rtsp/protocol/sdp.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/reader.h"
#include "workers/rtsp/server.h"

namespace sluice::rtsp {
namespace {

constexpr const char *kChanged = "session was changed by another connection"; // while the supervisor was asked

RefusalKind to_refusal_kind(control::Refusal refusal) {
  switch (refusal) {
  case control::Refusal::BadRequest:
    return RefusalKind::BadRequest;
  case control::Refusal::NoPublisher:
    return RefusalKind::NoPublisher;
  case control::Refusal::Unavailable:
    return RefusalKind::Unavailable;
  case control::Refusal::Unauthorized:
  case control::Refusal::Forbidden:
    break; // answer_unauthorized()
  }
  return RefusalKind::BadRequest;
}

} // namespace

void Connection::handle(ParsedRequest &parsed) {
  request_ = std::make_unique<Request>(std::move(parsed.request));
  if (state().session != 0 && session() == nullptr) state().session = 0; // it ended meanwhile
  uint32_t wire_id = session_id_of(*request_, state());
  if (log_enabled(LogLevel::Debug))
    log(LogLevel::Debug, "[{}] [conn {}] [c->s] {} {}", label(), peer_text_, request_->method_name,
        url_without_userinfo(*request_));
  uint16_t owner = shm::slot_of_session(wire_id);
  // TLS stays where its keys are.
  if (!tls() && wire_id != 0 && state().session == 0 && server_.is_peer(owner)) return hand_over(wire_id);
  Session *named = server_.find_session(wire_id);
  server_.note_blame(named != nullptr ? named->id() : 0);
  if (named != nullptr) named->keep_alive(server_.event_loop().now());
  perform(decide(*request_, state(), named != nullptr ? &named->state() : nullptr, facts()));
}

ServerFacts Connection::facts() const {
  ServerFacts facts = server_.facts();
  facts.tls = tls();
  return facts;
}

// The connection goes to the slot that owns the session, with all input from this request on.
void Connection::hand_over(uint32_t wire_id) {
  if (output_pending()) return close("session of another worker named while replies are unread");
  // What stands before the request was consumed by this turn already, but not yet cut off.
  MutableBytes buffer = server_.allocator().table().buffer(record_.input).first(record_.input_length);
  control::HandOver message{.slot = shm::slot_of_session(wire_id),
                            .session = wire_id,
                            .received_bytes = record_.received_bytes.load(std::memory_order_relaxed),
                            .failures = state().failures,
                            .token = reported_ ? id() : 0,
                            .unread = {}};
  Bytes unread = Bytes(buffer).subspan(consumed_this_turn_);
  message.unread.assign(unread.begin(), unread.end());
  int fd = record_.fd;
  server_.supervisor().send(message, {&fd, 1});
  wipe(message.unread);
  wipe(buffer);
  reported_ = false;       // it is not closed
  phase_ = Phase::Retired; // the descriptor's copy goes on elsewhere
  log(LogLevel::Debug, "[RTSP] [conn {}] handed over to worker {}", peer_text_, message.slot);
  server_.retire(*this);
}

void Connection::perform(Decision decision) {
  struct Visitor {
    Connection &self;

    void operator()(Reply &reply) { self.perform_reply(reply); }
    void operator()(AskDescribe &d) {
      self.ask(control::Describe{
          .path = d.path, .query = d.query, .client = self.peer_text_, .credentials = self.credentials()});
    }
    void operator()(BeginPublish &d) { self.begin_publish(std::move(d)); }
    void operator()(BeginRead &d) { self.begin_read(std::move(d)); }
    void operator()(SetupTrack &d) { self.set_up_track(d); }
    void operator()(StartPlay &) { self.start_play(); }
    void operator()(StartRecord &) { self.ask(control::Record{.session = self.session()->id()}); }
    void operator()(PauseMedia &d) { self.pause_media(d); }
    void operator()(EndSession &) { self.end_session(); }
  };
  decision_ = std::make_unique<Decision>(std::move(decision));
  std::visit(Visitor{*this}, *decision_);
}

void Connection::ask(control::Message message) {
  control::RequestId request = server_.ask(*this);
  std::visit(
      [&](auto &m) {
        if constexpr (requires { m.request; }) m.request = request;
      },
      message);
  phase_ = Phase::Asking;
  update_watch();
  server_.supervisor().send(message);
  std::visit(
      [](auto &m) {
        if constexpr (requires { m.credentials; }) wipe(m.credentials.authorization), wipe(m.credentials.url);
      },
      message);
  wipe_input_ = wipe_input_ || has_secrets(*request_); // once it is consumed
  request_->headers.wipe("Authorization");
}

control::Credentials Connection::credentials() const {
  const std::string *authorization = request_->headers.find("Authorization");
  if (request_->headers.count("Authorization") != 1) authorization = nullptr; // which one would count?
  return {request_->method_name, request_->url_text, authorization != nullptr ? *authorization : ""};
}

void Connection::perform_reply(Reply &reply) {
  if (reply.needs_session) {
    Session *created = server_.create_session(*this);
    if (created == nullptr) return finish(unavailable(*request_, "maxSessions reached"));
    add_session(reply, created->state());
  }
  finish(std::move(reply));
}

Session *Connection::session_or_new() {
  Session *mine = session();
  return mine != nullptr ? mine : server_.create_session(*this);
}

void Connection::begin_publish(BeginPublish &&decision) {
  Session *publisher = session_or_new();
  if (publisher == nullptr) return finish(unavailable(*request_, "maxSessions reached"));
  control::Publish message{.session = publisher->id(),
                           .log_id = publisher->log_id(),
                           .tls = tls(),
                           .path = decision.path,
                           .query = decision.query,
                           .client = peer_text_,
                           .credentials = credentials(),
                           .description = decision.description};
  ask(std::move(message));
}

void Connection::begin_read(BeginRead &&decision) {
  Session *reader = session_or_new();
  if (reader == nullptr) return finish(unavailable(*request_, "maxSessions reached"));
  ask(control::Read{.session = reader->id(),
                    .log_id = reader->log_id(),
                    .tls = tls(),
                    .path = decision.path,
                    .query = decision.query,
                    .client = peer_text_,
                    .credentials = credentials()});
}

void Connection::set_up_track(const SetupTrack &decision) {
  if (kind_of(decision.transport) != TransportKind::Udp) return finish_set_up();
  Session *mine = session();
  ask(mine->claim_of(*decision.transport.client_port, std::string(mine->state().path_text()), decision.record));
}

// The track's addresses are claimed, where it has any.
void Connection::finish_set_up() {
  const auto &decision = std::get<SetupTrack>(*decision_);
  Session *mine = session();
  if (kind_of(decision.transport) == TransportKind::Udp) {
    auto opened = mine->open_udp(decision.track, *decision.transport.client_port,
                                 decision.record ? Session::Direction::Record : Session::Direction::Play);
    if (!opened) return finish(failed(*request_, opened.error().message));
  }
  std::optional<uint32_t> ssrc = decision.record ? std::nullopt : mine->ssrc_of(decision.track);
  finish(track_set_up(*request_, decision, mine->state(), facts(), ssrc, mine->group_of(decision.track)));
}

void Connection::start_play() {
  Session *mine = session();
  bool already = mine->state().state == State::Play;
  if (!already) mine->prepare_play();
  Reply reply = playing(*request_, state(), mine->state(), mine->rtp_info(server_.event_loop().now()));
  bool starts = !already && mine->state().state == State::Play;
  if (starts) mine->enter_play();
  finish(std::move(reply));
  if (starts && phase_ == Phase::Open) mine->start_play();
}

void Connection::pause_media(const PauseMedia &decision) {
  Session *mine = session();
  if (decision.was_recording) mine->stop_record();
  if (decision.was_playing) mine->pause_play();
  finish(paused(*request_, mine->state()));
}

void Connection::end_session() {
  Session *mine = session();
  Reply reply = torn_down(*request_, state(), mine->state());
  mine->close(reply.reason, this);
  finish(std::move(reply));
}

// --- answers of the supervisor ---

void Connection::on_answer(control::Received &received) {
  if (phase_ != Phase::Asking) return;
  phase_ = Phase::Open;
  Session *mine = session();
  bool judged = std::get_if<control::Refused>(&received.message) == nullptr;
  if (judged) note_authorized(state());
  const Fd none;
  const Fd &fd = received.descriptors.empty() ? none : received.descriptors.front();
  if (const auto *described_as = std::get_if<control::Described>(&received.message)) {
    finish(described(*request_, described_as->description, server_.facts()));
  } else if (const auto *redirect = std::get_if<control::Redirected>(&received.message)) {
    finish(redirected(*request_, redirect->location));
  } else if (const auto *refusal = std::get_if<control::Refused>(&received.message)) {
    bool unauthorized =
        refusal->refusal == control::Refusal::Unauthorized || refusal->refusal == control::Refusal::Forbidden;
    if (unauthorized)
      answer_unauthorized(*refusal);
    else
      finish(refused(*request_, to_refusal_kind(refusal->refusal), refusal->reason));
  } else if (mine == nullptr) {
    finish(failed(*request_, "terminated")); // the session was kicked meanwhile
  } else if (const auto *publish = std::get_if<control::PublishGranted>(&received.message)) {
    on_granted(*publish, received.descriptors);
  } else if (const auto *read = std::get_if<control::ReadGranted>(&received.message)) {
    on_granted(*read, fd);
  } else if (std::get_if<control::Claimed>(&received.message) != nullptr) {
    std::holds_alternative<BeginRead>(*decision_) ? finish_read() : finish_set_up();
  } else if (const auto *multicast = std::get_if<control::MulticastGranted>(&received.message)) {
    if (auto joined = mine->join(*multicast); !joined)
      finish(failed(*request_, joined.error().message, Status::InternalServerError));
    else
      finish_read();
  } else if (std::get_if<control::Recorded>(&received.message) != nullptr) {
    finish(recording(*request_, state(), mine->state()));
    if (phase_ == Phase::Open && mine->state().state == State::Record) mine->start_record();
  }
  if (phase_ != Phase::Open) return; // closed: its input is gone
  consume(request_bytes_);
  process_input();
  if (phase_ != Phase::Retired) update_watch();
}

void Connection::on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) {
  const auto &decision = std::get<BeginPublish>(*decision_);
  Session *mine = session();
  if (mine->state().state != State::Initial) return finish(failed(*request_, kChanged));
  if (auto result = mine->granted_publish(granted, rings, decision.description); !result)
    return finish(failed(*request_, result.error().message, Status::InternalServerError));
  for (const std::string &reason : decision.ignored)
    log(LogLevel::Info, "[RTSP] [session {}] what can't be carried is ignored: {}", mine->log_id(), reason);
  finish(publish_granted(*request_, decision, mine->state()));
}

void Connection::on_granted(const control::ReadGranted &granted, const Fd &ring) {
  const auto &decision = std::get<BeginRead>(*decision_);
  Session *mine = session();
  if (mine->state().state != State::Initial) return finish(failed(*request_, kChanged));
  auto stream = server_.streams().enter(granted.stream, ring.get());
  if (!stream) return finish(failed(*request_, stream.error().message, Status::InternalServerError));
  if (auto result = mine->granted_read(**stream, granted.from_key_frame); !result) {
    return finish(failed(*request_, result.error().message, Status::InternalServerError));
  }
  TransportKind kind = kind_of(decision.transport);
  if (decision.track >= mine->track_count() || kind == TransportKind::Tcp) return finish_read();
  if (kind == TransportKind::Multicast) {
    auto join = mine->join_of();
    if (!join) return finish(failed(*request_, join.error().message, Status::InternalServerError));
    return ask(std::move(*join));
  }
  ask(mine->claim_of(*decision.transport.client_port, decision.path, false));
}

void Connection::finish_read() {
  const auto &decision = std::get<BeginRead>(*decision_);
  Session *mine = session();
  if (mine->state().state != State::Initial) return finish(failed(*request_, kChanged));
  size_t tracks = mine->track_count();
  if (decision.track < tracks && kind_of(decision.transport) == TransportKind::Udp) {
    auto opened = mine->open_udp(decision.track, *decision.transport.client_port, Session::Direction::Play);
    if (!opened) return finish(failed(*request_, opened.error().message));
  }
  finish(read_granted(*request_, decision, mine->state(), tracks, facts(), mine->ssrc_of(decision.track),
                      mine->group_of(decision.track)));
}

// --- replies ---

void Connection::finish(Reply reply) {
  ByteVector bytes;
  serialise(reply.response, bytes);
  if (log_enabled(LogLevel::Debug))
    log(LogLevel::Debug, "[{}] [conn {}] [s->c] {} {}", label(), peer_text_, static_cast<int>(reply.response.status),
        reply.reason);
  forget_request();
  if (!send(bytes)) return;
  if (reply.close) close(reply.reason);
}

// The fourth failure in a row, or one that is final: the reply has to wait.
void Connection::answer_unauthorized(const control::Refused &refused) {
  bool is_final = refused.refusal == control::Refusal::Forbidden;
  Reply reply = unauthorized(*request_, state(), session() != nullptr ? &session()->state() : nullptr,
                             refused.challenges, refused.reason, is_final);
  log(LogLevel::Debug, "[{}] [conn {}] {}authentication error: {}", label(), peer_text_,
      reply.close ? "" : "non-critical ", reply.reason);
  if (!reply.close) return finish(std::move(reply));
  delayed_reply_ = std::make_unique<Reply>(std::move(reply));
  delayed_until_ns_ = server_.event_loop().now() + kFailureDelay;
  phase_ = Phase::Delaying;
  forget_request();
  update_watch();
}

void Connection::forget_request() {
  if (request_ && has_secrets(*request_)) {
    wipe_input_ = true;
    wipe_secrets(*request_);
  }
  request_.reset();
  decision_.reset();
}

} // namespace sluice::rtsp
