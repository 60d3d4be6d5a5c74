// What an RTSP worker serves beside what every worker does: connections, sessions, UDP, multicast. Carries the requests
// of connections to the supervisor and its answers back.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "workers/base/server.h"
#include "workers/rtsp/connection.h"
#include "workers/rtsp/datagram_receiver.h"
#include "workers/rtsp/multicast.h"
#include "workers/rtsp/protocol/machine.h"
#include "workers/rtsp/session.h"
#include "workers/rtsp/stray_datagrams.h"

#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace sluice::rtsp {

class Server final : public worker::Server, public loop::Poll::Listener {
public:
  Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts);
  ~Server() override;

  void on_channel_room() override;

  // --- for connections, sessions and readers ---

  ServerFacts facts() const;
  bool is_peer(uint16_t other) const { return other != slot() && settings().peers.contains(other); }
  DatagramReceiver &datagrams() { return datagrams_; }
  Multicast &multicast() { return multicast_; }

  Session *find_session(uint32_t wire_id);
  Connection *find_connection(uint64_t id);
  // Null when the table is full.
  Session *create_session(Connection &connection);
  void retire(Connection &connection);
  void retire(Session &session);

  // The connection's on_channel_room() is called when the control channel has room again.
  void wait_for_channel(Connection &connection) { stalled_.push_back(connection.id()); }
  // The connection's on_unread() is called in the next turn.
  void read_again(Connection &connection);
  // Asks the supervisor on a connection's behalf; on_answer() of the connection gets the answer.
  control::RequestId ask(Connection &connection);

  // `local`: of the client's RTSP connection, whose address it sends to.
  // Asks the supervisor on a session's behalf; on_claimed() of the session gets the answer.
  void ask_for_address(control::Claim claim);
  Result<Fd> connect_media_socket(bool rtcp, const loop::SocketAddress &local, const loop::SocketAddress &peer,
                                  int receive_buffer_bytes);

private:
  void on_poll(int fd, int events) override;
  void on_accepted(Fd fd, worker::Transport transport) override { adopt(std::move(fd), transport, nullptr); }
  Result<std::unique_ptr<worker::Source>> make_source(const control::StartSource &message,
                                                      const std::vector<Fd> &fds) override;
  bool has_clients() const override { return !connections_.empty() || !sessions_.empty(); }
  void close_clients() override;
  bool has_session(uint32_t id) const override { return sessions_.contains(id); }
  worker::Publication *find_publication(control::StreamId stream) override;
  void on_settings(std::vector<Fd> udp_bases) override;
  void on_kick(const control::Kick &message) override;
  void on_answer(control::RequestId request, control::Received &received) override;
  bool on_other(control::Received &received) override;
  void on_second(Nanoseconds now) override;
  void on_next_turn_begin() override;
  void sweep() override;

  void adopt(Fd fd, worker::Transport transport, const control::HandOver *from);
  void refuse_connection(int fd, worker::Transport transport);
  void on_offer(const control::StrayOffer &offer);

  DatagramReceiver datagrams_;
  loop::SocketAddress rtp_base_, rtcp_base_;

  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<uint32_t, std::unique_ptr<Session>> sessions_; // by wire id
  std::unordered_map<control::RequestId, uint64_t> asked_;          // connection
  std::unordered_map<control::RequestId, control::SessionId> claims_;
  Multicast multicast_{*this};
  std::vector<std::unique_ptr<Connection>> retired_connections_;
  std::vector<std::unique_ptr<Session>> retired_sessions_;

  std::vector<Fd> udp_bases_;
  std::vector<std::unique_ptr<loop::Poll>> udp_polls_;
  std::unordered_map<int, bool> udp_base_fds_; // whether it is the one for RTCP
  StrayDatagrams strays_;
  std::vector<uint64_t> unread_;  // connections that read again in the next turn
  std::vector<uint64_t> stalled_; // connections that wait for the control channel
};

} // namespace sluice::rtsp
