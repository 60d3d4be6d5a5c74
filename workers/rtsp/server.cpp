#include "workers/rtsp/server.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/secret.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/reader.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace sluice::rtsp {

Server::Server(loop::Loop &loop, Supervisor &supervisor, shm::SessionTable &table, ServerParts parts)
    : loop_(loop), supervisor_(supervisor), parts_(std::move(parts)), allocator_(table), strays_(supervisor),
      next_turn_(loop, *this), turn_end_(loop, *this), second_(loop, *this), catch_up_timer_(loop, *this) {
  for (const Fd &fd : parts_.doorbells) doorbell_fds_.push_back(fd.get());
  doorbell_poll_ = std::make_unique<loop::Poll>(loop_, doorbell_fds_[slot()], *this);
  doorbell_poll_->watch(loop::Poll::kReadable);
  listen();
  allocator_.set_max_large_bytes(settings().max_input_bytes);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  max_descriptors_ = std::max<size_t>(limit.rlim_cur, 2 * kReservedDescriptors) - kReservedDescriptors;
  second_.start(kSecond, kSecond);
}

Server::~Server() = default;

void Server::listen() {
  polls_.clear();
  udp_base_fds_.clear();
  tls_listener_fds_.clear();
  rtp_base_ = rtcp_base_ = {};
  if (settings().udp) {
    rtp_base_ = loop::SocketAddress::parse(settings().rtp_address).value_or(loop::SocketAddress());
    rtcp_base_ = loop::SocketAddress::parse(settings().rtcp_address).value_or(loop::SocketAddress());
  }
  auto watch = [&](int fd) {
    polls_.push_back(std::make_unique<loop::Poll>(loop_, fd, *this));
    polls_.back()->watch(loop::Poll::kReadable);
  };
  for (const Fd &fd : parts_.udp_bases) {
    udp_base_fds_.emplace(fd.get(), !udp_base_fds_.empty()); // that for RTP comes first
    watch(fd.get());
  }
  size_t plain = parts_.listeners.size() - parts_.welcome.tls_listeners;
  for (size_t i = 0; i < parts_.listeners.size(); i++) {
    int fd = parts_.listeners[i].get();
    if (i >= plain) tls_listener_fds_.insert(fd);
    if (i < plain || tls_) watch(fd);
  }
}

// Whoever waits in a listener's queue is not sent away.
void Server::stop_listening() {
  for (const Fd &fd : parts_.listeners) accept_connections(fd.get());
  polls_.clear();
}

ServerFacts Server::facts() const {
  const control::WorkerSettings &s = settings();
  return {.tcp = s.tcp,
          .udp = s.udp,
          .rtp_port = s.rtp_port,
          .rtcp_port = s.rtcp_port,
          .multicast = s.multicast,
          .multicast_base = s.multicast_base};
}

void Server::note_blame(const Session *session) {
  allocator_.table().header().blame_session.store(session != nullptr ? session->id() : 0, std::memory_order_relaxed);
}

void Server::note_blame(const shm::SessionRecord &record) {
  allocator_.table().header().blame_session.store(record.id, std::memory_order_relaxed);
}

// --- connections ---

void Server::on_poll(int fd, int) {
  if (fd == doorbell_fds_[slot()]) return drain_doorbell();
  if (auto base = udp_base_fds_.find(fd); base != udp_base_fds_.end())
    return strays_.drain(fd, base->second, loop_.now());
  if (accepting_) accept_connections(fd);
}

void Server::accept_connections(int listener) {
  Kind kind = tls_listener_fds_.contains(listener) ? Kind::Tls : Kind::Plain;
  if (kind == Kind::Tls && !tls_) return;
  for (int i = 0; i < kAcceptsPerTurn; i++) {
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        log(LogLevel::Error, "[RTSP] can't accept connections for now: {}", os_error("accept").message);
        accept_failed_ = true; // else the listeners would stay readable and keep the loop busy
        for (auto &poll : polls_) poll->watch(0);
      }
      return; // or EAGAIN, or a connection that is gone again
    }
    adopt(std::move(fd), kind, nullptr);
  }
}

// Accepted here, or handed over by another slot.
void Server::adopt(Fd fd, Kind kind, const control::HandOver *from) {
  auto peer = loop::SocketAddress::peer_of(fd.get());
  if (!peer) return; // reset before we came to it
  bool full = connections_.size() >= settings().max_sessions || !has_descriptors(1);
  shm::ConnectionRecord *record = full ? nullptr : allocator_.take_connection();
  if (record == nullptr) return refuse_connection(fd.get(), kind);
  loop::prepare_stream_socket(fd.get());
  loop::StreamSocket socket =
      kind == Kind::Tls ? loop::StreamSocket::accept_tls(fd.get(), *tls_) : loop::StreamSocket(fd.get());
  record->fd = fd.release();
  record->cookie = loop::socket_cookie(record->fd);
  record->id = next_connection_++;
  auto connection = std::make_unique<Connection>(*this, *record, *peer, std::move(socket));
  Connection &added = *connection;
  connections_.emplace(record->id, std::move(connection));
  if (settings().reports_connections) added.report(from != nullptr ? from->token : 0);
  if (from == nullptr) return;
  added.state().failures = from->failures;
  added.take_over_input(from->unread, from->received_bytes);
}

void Server::refuse_connection(int fd, Kind kind) {
  log(LogLevel::Warn, "[RTSP] connection refused: maxSessions ({}) or the limit of descriptors reached",
      settings().max_sessions);
  if (kind == Kind::Tls) return loop::close_in_order(fd);
  ByteVector bytes;
  serialise(Response{.status = Status::ServiceUnavailable, .cseq = "", .headers = {}, .body = ""}, bytes);
  (void)::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); // a courtesy; the close says it too
  loop::close_in_order(fd);
}

void Server::retire(Connection &connection) {
  auto found = connections_.find(connection.id());
  if (found == connections_.end()) return;
  retired_connections_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Server::retire(Session &session) {
  auto found = sessions_.find(session.wire_id());
  if (found == sessions_.end()) return;
  retired_sessions_.push_back(std::move(found->second));
  sessions_.erase(found);
}

Session *Server::find_session(uint32_t wire_id) {
  auto found = sessions_.find(wire_id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Connection *Server::find_connection(uint64_t id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

uint32_t Server::new_wire_id() {
  for (;;) {
    uint32_t id = static_cast<uint32_t>(secure_random()) >> shm::kSlotBits << shm::kSlotBits | slot();
    if (id >> shm::kSlotBits != 0 && !sessions_.contains(id)) return id;
  }
}

uint32_t Server::identify(shm::SessionRecord &record) {
  uint32_t wire_id = new_wire_id();
  // The upper half tells the sessions of one wire id apart: ids are never reused.
  record.id = next_session_++ << 32 | wire_id;
  record.log_id = static_cast<uint32_t>(100'000'000 + secure_random() % 899'999'999);
  return wire_id;
}

Session *Server::create_session(Connection &connection) {
  if (sessions_.size() >= settings().max_sessions) return nullptr;
  shm::SessionRecord *record = allocator_.take_session();
  if (record == nullptr) return nullptr;
  uint32_t wire_id = identify(*record);
  for (shm::MediaSocket &socket : record->sockets) socket.fd = -1;
  auto local = loop::SocketAddress::local_of(connection.fd());
  auto session = std::make_unique<Session>(*this, *record, local ? *local : loop::SocketAddress(), connection);
  rtsp::create_session(*new (record->protocol_state) SessionState, wire_id, connection.state());
  Session &created = *session;
  sessions_.emplace(wire_id, std::move(session));
  created.keep_alive(loop_.now());
  log(LogLevel::Info, "[{}] [session {}] created by {}", created.label(), created.log_id(), connection.peer());
  return &created;
}

// --- the supervisor ---

control::RequestId Server::ask(Connection &connection) {
  control::RequestId request = next_request_++;
  asked_.emplace(request, connection.id());
  return request;
}

void Server::answer(control::RequestId request, control::Received &received) {
  if (sources_.answer(request, received)) return;
  if (auto claim = claims_.extract(request)) {
    Session *session = find_session(static_cast<uint32_t>(claim.mapped()));
    bool granted = std::holds_alternative<control::Claimed>(received.message);
    if (session != nullptr && session->id() == claim.mapped()) session->on_claimed(granted);
    return;
  }
  auto found = asked_.find(request);
  if (found == asked_.end()) return;
  Connection *connection = find_connection(found->second);
  asked_.erase(found);
  if (connection != nullptr) connection->on_answer(received); // else its session was released already
}

void Server::on_message(control::Received &received) {
  std::vector<Fd> &fds = received.descriptors;
  if (auto *certificate = std::get_if<control::Certificate>(&received.message)) return on_certificate(*certificate);
  std::visit(
      [&](const auto &message) {
        using T = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<T, control::Kick>) {
          on_kick(message);
        } else if constexpr (std::is_same_v<T, control::RingReplaced>) {
          if (fds.size() == 1) on_ring_replaced(message, fds[0]);
        } else if constexpr (std::is_same_v<T, control::HandOver>) {
          if (fds.size() == 1) on_handed_over(message, std::move(fds[0]));
        } else if constexpr (std::is_same_v<T, control::Settings>) {
          on_settings(message, fds);
        } else if constexpr (std::is_same_v<T, control::SendMulticast>) {
          if (fds.size() == 1) multicast_.on_message(message, fds[0].get());
        } else if constexpr (std::is_same_v<T, control::StopMulticast>) {
          multicast_.on_message(message);
        } else if constexpr (std::is_same_v<T, control::StrayOffer>) {
          on_offer(message);
        } else if constexpr (std::is_same_v<T, control::RingKept>) {
          if (Publisher *publisher = find_publisher(message.stream)) publisher->keep_ring();
        } else if constexpr (std::is_same_v<T, control::StreamSettings>) {
          if (Publisher *publisher = find_publisher(message.stream)) publisher->change_settings(message);
        } else if constexpr (std::is_same_v<T, control::StartSource>) {
          sources_.start(std::get<control::StartSource>(received.message), fds, accepting_ && !draining_);
        } else if constexpr (std::is_same_v<T, control::StopSource>) {
          sources_.stop(message);
        } else if constexpr (std::is_same_v<T, control::Drain>) {
          drain();
        } else if constexpr (std::is_same_v<T, control::StreamEnded>) {
          // its sessions are kicked one by one
        } else if constexpr (requires { message.request; }) {
          answer(message.request, received);
        } else {
          log(LogLevel::Warn, "[RTSP] unexpected control message ignored");
        }
      },
      received.message);
}

void Server::on_handed_over(const control::HandOver &message, Fd fd) {
  if (serves_clients()) adopt(std::move(fd), Kind::Plain, &message);
}

// One descriptor serves both: readers of this slot get to know the next generation before its writer goes on there.
void Server::on_ring_replaced(const control::RingReplaced &message, const Fd &fd) {
  if (auto found = streams_.find(message.stream); found != streams_.end()) {
    if (auto replaced = found->second->replace(fd.get()); !replaced)
      log(LogLevel::Error, "[RTSP] new ring of a stream can't be used: {}", replaced.error().message);
    schedule_round(message.stream);
  }
  if (Publisher *publisher = find_publisher(message.stream)) publisher->replace_ring(fd.get());
}

// For connections from now on; the others keep what they began with.
void Server::on_certificate(control::Certificate &certificate) {
  auto made = loop::TlsServerContext::create(certificate.chain, certificate.key, certificate.ticket_keys);
  wipe(certificate.key);
  for (std::string &key : certificate.ticket_keys) wipe(key);
  if (!made) return log(LogLevel::Error, "[RTSPS] {}", made.error().message);
  bool first = !tls_;
  tls_ = std::move(*made);
  if (first && !draining_) listen();
}

void Server::on_settings(control::Settings message, std::vector<Fd> &fds) {
  if (fds.size() != size_t{message.listeners} + message.udp_bases || message.tls_listeners > message.listeners)
    return log(LogLevel::Error, "[RTSP] malformed settings ignored");
  stop_listening();
  parts_.welcome.tls_listeners = message.tls_listeners;
  parts_.welcome.settings = std::move(message.settings);
  set_log_level(static_cast<LogLevel>(settings().log_level));
  allocator_.set_max_large_bytes(settings().max_input_bytes);
  parts_.listeners.clear();
  parts_.udp_bases.clear();
  for (Fd &fd : fds)
    (parts_.listeners.size() < message.listeners ? parts_.listeners : parts_.udp_bases).push_back(std::move(fd));
  draining_ = false;
  if (message.tls_listeners == 0) tls_.reset(); // a key that nobody needs
  listen();
  if (!serves_clients()) close_clients();
}

Publisher *Server::find_publisher(control::StreamId stream) {
  for (auto &[id, session] : sessions_)
    if (session->publisher() != nullptr && session->publisher()->stream() == stream) return session->publisher();
  return sources_.find_publisher(stream);
}

void Server::drain() {
  stop_listening();
  parts_.listeners.clear();
  parts_.welcome.tls_listeners = 0;
  parts_.udp_bases.clear();
  udp_base_fds_.clear();
  tls_.reset();
  sources_.fail_all("the worker is given up");
  draining_ = true;
}

void Server::on_kick(const control::Kick &message) {
  Session *session = find_session(static_cast<uint32_t>(message.session));
  if (session == nullptr || session->id() != message.session) return;
  session->close_after_rest(message.reason);
}

// --- streams ---

Result<Stream *> Server::enter_stream(control::StreamId id, int ring_fd) {
  auto found = streams_.find(id);
  if (found == streams_.end()) {
    std::unique_ptr<Stream> stream = TRY(Stream::create(id, ring_fd));
    streams_by_ring_.emplace(stream->ring_index(), id);
    found = streams_.emplace(id, std::move(stream)).first;
  } else {
    TRY(found->second->replace(ring_fd));
  }
  found->second->sessions++;
  return found->second.get();
}

void Server::leave_stream(Stream &stream) {
  CHECK(stream.sessions > 0);
  stream.sessions--;
  if (!stream.idle()) return;
  auto [begin, end] = streams_by_ring_.equal_range(stream.ring_index());
  auto indexed = std::find_if(begin, end, [&](const auto &entry) { return entry.second == stream.id(); });
  if (indexed != end) streams_by_ring_.erase(indexed);
  auto found = streams_.find(stream.id());
  retired_streams_.push_back(std::move(found->second)); // it may be in the middle of a round
  streams_.erase(found);
}

void Server::schedule_round(control::StreamId id) {
  due_rounds_.insert(id);
}

void Server::schedule_round_later(control::StreamId id) {
  later_rounds_.insert(id);
  if (!catch_up_timer_.active()) catch_up_timer_.start(kCatchUpInterval);
}

void Server::ring_doorbells(uint64_t subscribers, size_t ring_index, control::StreamId id) {
  uint64_t own = uint64_t{1} << slot();
  if ((subscribers & own) != 0) schedule_round(id); // served at the end of this turn, without a system call
  if ((subscribers & ~own) != 0) parts_.board.ring(subscribers & ~own, ring_index, doorbell_fds_);
}

void Server::drain_doorbell() {
  shm::DirtyRings dirty = parts_.board.drain(slot(), doorbell_fds_[slot()]);
  dirty.for_each([&](size_t ring_index) {
    auto [begin, end] = streams_by_ring_.equal_range(ring_index);
    for (auto stream = begin; stream != end; ++stream) due_rounds_.insert(stream->second);
  });
}

void Server::scan_all_streams() {
  drain_doorbell();
  for (auto &[id, stream] : streams_) due_rounds_.insert(id);
}

// --- UDP ---

void Server::ask_for_address(control::Claim claim) {
  claim.request = next_request_++;
  claims_.emplace(claim.request, claim.session);
  supervisor_.send(claim);
}

void Server::on_offer(const control::StrayOffer &offer) {
  Session *session = find_session(static_cast<uint32_t>(offer.session));
  if (session != nullptr && session->id() == offer.session) session->on_offer(offer);
}

Result<Fd> Server::connect_media_socket(bool rtcp, const loop::SocketAddress &local, const loop::SocketAddress &peer,
                                        int receive_buffer_bytes) {
  return loop::connect_udp(rtcp ? rtcp_base_ : rtp_base_, local, peer, receive_buffer_bytes);
}

// --- time ---

void Server::on_turn_end() {
  // A round may end sessions, whose streams then go; so no iterator is held over it.
  while (!due_rounds_.empty()) {
    control::StreamId id = *due_rounds_.begin();
    due_rounds_.erase(due_rounds_.begin());
    auto found = streams_.find(id);
    if (found != streams_.end()) found->second->round();
  }
  note_blame(nullptr);
  retired_connections_.clear();
  retired_sessions_.clear();
  retired_streams_.clear();
  sources_.sweep();
}

void Server::on_timer(loop::Timer &timer) {
  if (&timer == &catch_up_timer_) {
    due_rounds_.merge(later_rounds_);
    later_rounds_.clear();
    return on_turn_end(); // which may be far: the loop polls before
  }
  Nanoseconds now = loop_.now();
  std::vector<uint32_t> sessions;
  for (auto &[id, session] : sessions_) sessions.push_back(id);
  for (uint32_t id : sessions)
    if (Session *session = find_session(id)) session->on_second(now);
  std::vector<uint64_t> connections;
  for (auto &[id, connection] : connections_) connections.push_back(id);
  for (uint64_t id : connections)
    if (Connection *connection = find_connection(id)) connection->on_second(now);
  sources_.on_second(now);
  if (std::exchange(accept_failed_, false) && accepting_)
    for (auto &poll : polls_) poll->watch(loop::Poll::kReadable);
  multicast_.on_second(now);
  allocator_.give_back_idle_memory();
  scan_all_streams();
}

bool Server::has_descriptors(size_t more) const {
  return connections_.size() + retired_connections_.size() + media_sockets_ + more <= max_descriptors_;
}

void Server::on_channel_room() {
  for (uint64_t id : std::exchange(stalled_, {}))
    if (Connection *connection = find_connection(id)) connection->on_channel_room();
}

void Server::read_again(Connection &connection) {
  unread_.push_back(connection.id());
  next_turn_.request();
}

void Server::on_next_turn() {
  for (uint64_t id : std::exchange(unread_, {}))
    if (Connection *connection = find_connection(id)) connection->on_unread();
}

void Server::shut_down() {
  accepting_ = false;
  sources_.stop_all();
  for (auto &poll : polls_) poll->watch(0);
  close_clients();
}

void Server::close_clients() {
  std::vector<uint32_t> sessions;
  for (auto &[id, session] : sessions_) sessions.push_back(id);
  for (uint32_t id : sessions)
    if (Session *session = find_session(id)) session->close("terminated");
  std::vector<uint64_t> connections;
  for (auto &[id, connection] : connections_) connections.push_back(id);
  for (uint64_t id : connections)
    if (Connection *connection = find_connection(id)) connection->end("terminated");
}

} // namespace sluice::rtsp
