#include "workers/rtmp/server.h"

#include "common/base/log.h"
#include "workers/rtmp/session.h"
#include "workers/rtmp/source.h"

#include <utility>

namespace sluice::rtmp {

Server::Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts)
    : worker::Server(loop, supervisor, table, parts, "RTMP") {
  start(parts);
}

Server::~Server() = default;

// --- connections ---

void Server::on_accepted(Fd fd, worker::Transport transport) {
  auto peer = loop::SocketAddress::peer_of(fd.get());
  if (!peer) return; // reset before we came to it
  size_t limit = settings().max_sessions;
  bool full = connections_.size() >= limit;
  bool hopeless = connections_.size() >= limit + kToldToGo || !has_descriptors(1);
  shm::ConnectionRecord *record = hopeless ? nullptr : allocator().take_connection();
  if (full || record == nullptr) {
    log(LogLevel::Warn, "[RTMP] connection refused: maxSessions ({}) or the limit of descriptors reached", limit);
    count_refused();
  }
  if (record == nullptr) return loop::close_in_order(fd.get());
  loop::prepare_stream_socket(fd.get());
  loop::StreamSocket socket = transport == worker::Transport::Tls
                                  ? loop::StreamSocket::accept_tls(fd.get(), listeners().tls())
                                  : loop::StreamSocket(fd.get());
  record->fd = fd.release();
  record->cookie = loop::socket_cookie(record->fd);
  identify(*record);
  count_descriptors(1);
  auto connection =
      std::make_unique<Connection>(*this, *record, *peer, std::move(socket), full ? "the server is full" : "");
  if (settings().reports_connections) connection->report();
  connections_.emplace(record->id, std::move(connection));
}

Connection *Server::find(uint64_t id) {
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

std::vector<uint64_t> Server::ids() const {
  std::vector<uint64_t> ids;
  for (auto &[id, connection] : connections_) ids.push_back(id);
  return ids;
}

void Server::retire(Connection &connection) {
  auto found = connections_.find(connection.id());
  if (found == connections_.end()) return;
  retired_.push_back(std::move(found->second));
  connections_.erase(found);
}

void Server::retire(std::unique_ptr<Session> session) {
  retired_sessions_.push_back(std::move(session));
}

void Server::close_clients() {
  for (uint64_t id : ids())
    if (Connection *connection = find(id)) connection->end("terminated");
}

// Sessions name their connections, readers their muxers.
void Server::sweep() {
  retired_sessions_.clear();
  for (auto &connection : std::exchange(retired_, {})) {
    connection.reset();
    count_descriptors(-1);
  }
  muxers_.sweep();
}

// --- the supervisor ---

control::RequestId Server::ask(Connection &connection) {
  control::RequestId request = new_request();
  asked_.emplace(request, connection.id());
  return request;
}

void Server::on_answer(control::RequestId request, control::Received &received) {
  auto found = asked_.find(request);
  if (found == asked_.end()) return;
  Connection *connection = find(found->second);
  asked_.erase(found);
  if (connection != nullptr) connection->on_answer(request, received); // else its session was released already
}

void Server::on_kick(const control::Kick &message) {
  if (message.connection != 0) {
    if (Connection *connection = find(message.connection)) connection->on_kick(message.reason);
    return;
  }
  auto found = sessions_.find(static_cast<uint32_t>(message.session));
  if (found == sessions_.end()) return;
  Connection *connection = find(found->second);
  if (connection != nullptr) connection->on_kick(message.session, message.reason);
}

worker::Publication *Server::find_publication(control::StreamId stream) {
  for (auto &[id, connection] : connections_) {
    Session *session = connection->session();
    worker::Publication *publication = session != nullptr ? session->publication() : nullptr;
    if (publication != nullptr && publication->stream() == stream) return publication;
  }
  return nullptr;
}

Result<std::unique_ptr<worker::Source>> Server::make_source(const control::StartSource &message,
                                                            const std::vector<Fd> &fds) {
  return Source::create(*this, message, fds);
}

void Server::on_channel_room() {
  for (uint64_t id : std::exchange(stalled_, {}))
    if (Connection *connection = find(id)) connection->on_channel_room();
}

// --- time ---

void Server::read_again(Connection &connection) {
  unread_.push_back(connection.id());
  end_turn_soon();
}

void Server::on_next_turn_begin() {
  for (uint64_t id : std::exchange(unread_, {}))
    if (Connection *connection = find(id)) connection->on_unread();
}

void Server::on_second(Nanoseconds now) {
  for (uint64_t id : ids())
    if (Connection *connection = find(id)) connection->on_second(now);
}

} // namespace sluice::rtmp
