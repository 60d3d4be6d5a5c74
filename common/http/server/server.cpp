#include "common/http/server/server.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sluice::http {

HttpServer::HttpServer(loop::Loop &loop, Listener &listener, Fd listener_fd, const ServerOptions &options)
    : HttpServer(loop, listener, options) {
  watch_listener(std::move(listener_fd));
}

HttpServer::HttpServer(loop::Loop &loop, Listener &listener, const ServerOptions &options)
    : loop_(loop), listener_(listener), options_(options), turn_end_(loop, *this), tick_(loop, *this),
      awake_(loop, *this) {}

HttpServer::~HttpServer() {
  drop_listener();
}

// --- accepting ---

void HttpServer::watch_listener(Fd listener_fd) {
  listener_fd_ = std::move(listener_fd);
  listener_poll_ = std::make_unique<loop::Poll>(loop_, listener_fd_.get(), static_cast<loop::Poll::Listener &>(*this));
  listener_poll_->watch(loop::Poll::kReadable);
}

void HttpServer::drop_listener() {
  listener_poll_.reset();
  listener_fd_.reset();
}

void HttpServer::set_listener(Fd listener_fd) {
  if (closing_) return;
  constexpr int kLongestQueue = 4096;
  accept_connections(kLongestQueue);
  drop_listener();
  watch_listener(std::move(listener_fd));
}

void HttpServer::on_poll(int, int) {
  accept_connections(kAcceptsPerTurn);
}

void HttpServer::accept_connections(int limit) {
  for (int i = 0; i < limit; i++) {
    Fd fd(::accept4(listener_fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      auto peer = loop::SocketAddress::peer_of(fd.get());
      if (!peer) continue; // reset before we came to it
      loop::prepare_stream_socket(fd.get());
      auto socket = tls_ ? loop::StreamSocket::accept_tls(fd.get(), *tls_) : loop::StreamSocket(fd.get());
      adopt(std::move(fd), std::move(socket), *peer);
      continue;
    }
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      Error error = os_error("accept");
      listener_poll_->watch(0); // the connection stays in the queue, so the loop would spin
      accepting_failed_ = true;
      start_ticking();
      listener_.on_accept_failed(*this, error);
    }
    return;
  }
}

size_t HttpServer::serving() const {
  return static_cast<size_t>(std::count_if(connections_.begin(), connections_.end(),
                                           [](const auto &entry) { return !entry.second->leaving(); }));
}

uint64_t HttpServer::adopt(Fd fd, loop::StreamSocket socket, const loop::SocketAddress &peer,
                           const Counters &counters) {
  if (closing_ || connections_.size() >= options_.max_connections + kMaxTurnedAway) {
    loop::close_in_order(fd.get());
    return 0;
  }
  bool full = connections_.size() >= options_.max_connections && serving() >= options_.max_connections;
  uint64_t id = next_connection_++;
  auto made = std::make_unique<Connection>(loop_, static_cast<Connection::Host &>(*this), options_, id, std::move(fd),
                                           std::move(socket), peer, counters);
  connections_.emplace(id, std::move(made));
  start_ticking();
  if (full) {
    turned_away_.push_back(id);
    turn_end_soon();
  }
  return id;
}

void HttpServer::disconnect(uint64_t connection, const std::string &reason) {
  if (Connection *found = find(connection)) found->end(reason);
}

Connection *HttpServer::find(uint64_t connection) {
  auto found = connections_.find(connection);
  return found == connections_.end() ? nullptr : found->second.get();
}

// --- requests ---

void HttpServer::on_request(Connection &connection, uint64_t number, Request request) {
  listener_.on_access(*this, connection.peer(), request);
  listener_.on_request(*this, {connection.id(), number}, connection.peer(), std::move(request));
}

void HttpServer::on_refused(Connection &connection, const Refusal &refusal) {
  listener_.on_refused(*this, connection.peer(), refusal);
}

bool HttpServer::respond(const RequestKey &key, Response response) {
  Connection *connection = find(key.connection);
  return connection != nullptr && connection->answer(key.number, std::move(response));
}

void HttpServer::set_answer_timeout(const RequestKey &key, Nanoseconds timeout) {
  if (Connection *connection = find(key.connection)) connection->set_answer_timeout(key.number, timeout);
}

bool HttpServer::on_half_closed(Connection &connection, uint64_t number) {
  return listener_.on_half_closed(*this, {connection.id(), number});
}

void HttpServer::on_gone(Connection &connection, uint64_t number) {
  listener_.on_gone(*this, {connection.id(), number});
}

void HttpServer::flush_later(Connection &connection) {
  to_flush_.push_back(connection.id());
  turn_end_soon();
}

void HttpServer::resume_later(Connection &connection) {
  to_resume_.push_back(connection.id());
  turn_end_soon();
}

// --- the end of connections ---

void HttpServer::on_ended(Connection &connection) {
  auto found = connections_.find(connection.id());
  retired_.push_back(std::move(found->second));
  connections_.erase(found);
  turn_end_soon();
  listener_.on_connection_ended(*this, {.connection = connection.id(),
                                        .fd = connection.take_fd(),
                                        .reason = connection.end_reason(),
                                        .received_bytes = connection.received_bytes(),
                                        .sent_bytes = connection.sent_bytes()});
}

void HttpServer::turn_end_soon() {
  if (!awake_.active()) awake_.start(0);
}

void HttpServer::on_turn_end() {
  for (uint64_t id : std::exchange(turned_away_, {}))
    if (Connection *connection = find(id)) connection->turn_away({503, "too many connections"});
  for (uint64_t id : std::exchange(to_resume_, {}))
    if (Connection *connection = find(id)) connection->resume();
  for (uint64_t id : std::exchange(to_flush_, {}))
    if (Connection *connection = find(id)) connection->flush();
  retired_.clear();
  if (connections_.empty() && !accepting_failed_) tick_.stop();
  if (!closing_ || closed_ || !connections_.empty()) return;
  closed_ = true;
  listener_.on_closed(*this);
}

void HttpServer::close() {
  if (closing_) return;
  closing_ = true;
  accepting_failed_ = false;
  drop_listener();
  std::vector<uint64_t> ids;
  for (const auto &[id, connection] : connections_) ids.push_back(id);
  for (uint64_t id : ids) {
    if (auto found = connections_.find(id); found != connections_.end()) found->second->finish();
  }
  turn_end_soon();
}

// --- time ---

void HttpServer::set_options(const ServerOptions &options) {
  options_ = options;
  if (!tick_.active()) return;
  tick_.stop();
  start_ticking();
}

void HttpServer::start_ticking() {
  if (tick_.active()) return;
  tick_.start(tick_interval(), tick_interval());
  last_tick_ = loop_.now();
  tick_skipped_ = false;
}

// Timeouts are late by a quarter of the shortest at most.
Nanoseconds HttpServer::tick_interval() const {
  Nanoseconds shortest =
      std::min({options_.idle_timeout, options_.read_timeout, options_.write_timeout, options_.linger_timeout});
  if (options_.answer_timeout > 0) shortest = std::min(shortest, options_.answer_timeout);
  return std::clamp(shortest / 4, 10 * kMillisecond, kSecond);
}

void HttpServer::on_timer(loop::Timer &timer) {
  if (&timer != &tick_) return;
  if (std::exchange(accepting_failed_, false)) listener_poll_->watch(loop::Poll::kReadable);
  Nanoseconds now = loop_.now();
  bool late = now - std::exchange(last_tick_, now) > 2 * tick_interval();
  tick_skipped_ = late && !tick_skipped_;
  if (tick_skipped_) return; // this process stood still: first read what came meanwhile
  std::vector<uint64_t> ids;
  for (const auto &[id, connection] : connections_) ids.push_back(id);
  for (uint64_t id : ids) {
    if (auto found = connections_.find(id); found != connections_.end()) found->second->on_tick(now);
  }
}

} // namespace sluice::http
