#include "workers/rtsp/server.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/reader.h"
#include "workers/rtsp/source.h"

#include <algorithm>

namespace sluice::rtsp {

using worker::Transport;

Server::Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts)
    : worker::Server(loop, supervisor, table, parts, "RTSP"), strays_(supervisor) {
  start(parts);
}

Server::~Server() = default;

void Server::on_settings(std::vector<Fd> udp_bases) {
  udp_polls_.clear();
  udp_base_fds_.clear();
  udp_bases_ = std::move(udp_bases);
  rtp_base_ = rtcp_base_ = {};
  if (const control::RtspSettings &rtsp = settings().rtsp; rtsp.udp) {
    rtp_base_ = loop::SocketAddress::parse(rtsp.rtp_address).value_or(loop::SocketAddress());
    rtcp_base_ = loop::SocketAddress::parse(rtsp.rtcp_address).value_or(loop::SocketAddress());
  }
  for (const Fd &fd : udp_bases_) {
    udp_base_fds_.emplace(fd.get(), !udp_base_fds_.empty()); // that for RTP comes first
    udp_polls_.push_back(std::make_unique<loop::Poll>(event_loop(), fd.get(), *this));
    udp_polls_.back()->watch(loop::Poll::kReadable);
  }
}

ServerFacts Server::facts() const {
  const control::RtspSettings &s = settings().rtsp;
  return {.tcp = s.tcp,
          .udp = s.udp,
          .rtp_port = s.rtp_port,
          .rtcp_port = s.rtcp_port,
          .multicast = s.multicast,
          .multicast_base = s.multicast_base};
}

// --- connections ---

void Server::on_poll(int fd, int) {
  strays_.drain(fd, udp_base_fds_.at(fd), event_loop().now());
}

// Accepted here, or handed over by another slot.
void Server::adopt(Fd fd, Transport transport, const control::HandOver *from) {
  auto peer = loop::SocketAddress::peer_of(fd.get());
  if (!peer) return; // reset before we came to it
  bool full = connections_.size() >= settings().max_sessions || !has_descriptors(1);
  shm::ConnectionRecord *record = full ? nullptr : allocator().take_connection();
  if (record == nullptr) return refuse_connection(fd.get(), transport);
  loop::prepare_stream_socket(fd.get());
  loop::StreamSocket socket = transport == Transport::Tls ? loop::StreamSocket::accept_tls(fd.get(), listeners().tls())
                                                          : loop::StreamSocket(fd.get());
  record->fd = fd.release();
  record->cookie = loop::socket_cookie(record->fd);
  identify(*record);
  count_descriptors(1);
  auto connection = std::make_unique<Connection>(*this, *record, *peer, std::move(socket));
  Connection &added = *connection;
  connections_.emplace(record->id, std::move(connection));
  if (settings().reports_connections) added.report(from != nullptr ? from->token : 0);
  if (from == nullptr) return;
  added.state().failures = from->failures;
  added.take_over_input(from->unread, from->received_bytes);
}

void Server::refuse_connection(int fd, Transport transport) {
  count_refused();
  log(LogLevel::Warn, "[RTSP] connection refused: maxSessions ({}) or the limit of descriptors reached",
      settings().max_sessions);
  if (transport == Transport::Tls) return loop::close_in_order(fd);
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

Session *Server::create_session(Connection &connection) {
  if (sessions_.size() >= settings().max_sessions) return nullptr;
  shm::SessionRecord *record = allocator().take_session();
  if (record == nullptr) return nullptr;
  uint32_t wire_id = identify(*record);
  for (shm::MediaSocket &socket : record->sockets) socket.fd = -1;
  auto local = loop::SocketAddress::local_of(connection.fd());
  auto session = std::make_unique<Session>(*this, *record, local ? *local : loop::SocketAddress(), connection);
  rtsp::create_session(*new (record->protocol_state) SessionState, wire_id, connection.state());
  Session &created = *session;
  sessions_.emplace(wire_id, std::move(session));
  created.keep_alive(event_loop().now());
  log(LogLevel::Info, "[{}] [session {}] created by {}", created.label(), created.log_id(), connection.peer());
  return &created;
}

// --- the supervisor ---

control::RequestId Server::ask(Connection &connection) {
  control::RequestId request = new_request();
  asked_.emplace(request, connection.id());
  return request;
}

void Server::on_answer(control::RequestId request, control::Received &received) {
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

bool Server::on_other(control::Received &received) {
  std::vector<Fd> &fds = received.descriptors;
  if (auto *hand_over = std::get_if<control::HandOver>(&received.message)) {
    if (fds.size() == 1 && serves_clients()) adopt(std::move(fds[0]), Transport::Plain, hand_over);
  } else if (auto *send = std::get_if<control::SendMulticast>(&received.message)) {
    if (fds.size() == 1) multicast_.on_message(*send, fds[0].get());
  } else if (auto *stop = std::get_if<control::StopMulticast>(&received.message)) {
    multicast_.on_message(*stop);
  } else if (auto *offer = std::get_if<control::StrayOffer>(&received.message)) {
    on_offer(*offer);
  } else {
    return false;
  }
  return true;
}

worker::Publication *Server::find_publication(control::StreamId stream) {
  for (auto &[id, session] : sessions_)
    if (session->publisher() != nullptr && session->publisher()->stream() == stream)
      return &session->publisher()->publication();
  return nullptr;
}

Result<std::unique_ptr<worker::Source>> Server::make_source(const control::StartSource &message,
                                                            const std::vector<Fd> &fds) {
  return Source::create(*this, message, fds);
}

void Server::on_kick(const control::Kick &message) {
  Session *session = find_session(static_cast<uint32_t>(message.session));
  if (session == nullptr || session->id() != message.session) return;
  session->close_after_rest(message.reason);
}

// --- UDP ---

void Server::ask_for_address(control::Claim claim) {
  claim.request = new_request();
  claims_.emplace(claim.request, claim.session);
  supervisor().send(claim);
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

void Server::sweep() {
  for (auto &connection : std::exchange(retired_connections_, {})) {
    connection.reset();
    count_descriptors(-1);
  }
  retired_sessions_.clear();
}

void Server::on_second(Nanoseconds now) {
  std::vector<uint32_t> sessions;
  for (auto &[id, session] : sessions_) sessions.push_back(id);
  for (uint32_t id : sessions)
    if (Session *session = find_session(id)) session->on_second(now);
  std::vector<uint64_t> connections;
  for (auto &[id, connection] : connections_) connections.push_back(id);
  for (uint64_t id : connections)
    if (Connection *connection = find_connection(id)) connection->on_second(now);
  multicast_.on_second(now);
}

void Server::on_channel_room() {
  for (uint64_t id : std::exchange(stalled_, {}))
    if (Connection *connection = find_connection(id)) connection->on_channel_room();
}

void Server::read_again(Connection &connection) {
  unread_.push_back(connection.id());
  end_turn_soon();
}

void Server::on_next_turn_begin() {
  for (uint64_t id : std::exchange(unread_, {}))
    if (Connection *connection = find_connection(id)) connection->on_unread();
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
