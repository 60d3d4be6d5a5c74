// What an RTMP worker serves beside what every worker does: connections with their sessions, and the muxers that
// readers share.
#pragma once

#include "workers/base/server.h"
#include "workers/rtmp/connection.h"
#include "workers/rtmp/muxers.h"

#include <memory>
#include <unordered_map>
#include <vector>

namespace sluice::rtmp {

class Server final : public worker::Server {
public:
  Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts);
  ~Server() override;

  void on_channel_room() override;

  // --- for connections and sessions ---

  Muxers &muxers() { return muxers_; }
  void retire(Connection &connection);
  void retire(std::unique_ptr<Session> session);
  // The connection's on_channel_room() is called when the control channel has room again.
  void wait_for_channel(Connection &connection) { stalled_.push_back(connection.id()); }
  // The connection's on_unread() is called in the next turn.
  void read_again(Connection &connection);
  // Asks the supervisor on a connection's behalf; its on_answer() gets the answer.
  control::RequestId ask(Connection &connection);
  void forget(control::RequestId request) { asked_.erase(request); } // there may be no answer
  // Sessions are known by the low half of their id.
  void add_session(uint32_t id, Connection &connection) { sessions_.emplace(id, connection.id()); }
  void remove_session(uint32_t id) { sessions_.erase(id); }

private:
  static constexpr size_t kToldToGo = 64; // connections beyond maxSessions that are told why they have to go

  void on_accepted(Fd fd, worker::Transport transport) override;
  Result<std::unique_ptr<worker::Source>> make_source(const control::StartSource &message,
                                                      const std::vector<Fd> &fds) override;
  bool has_clients() const override { return !connections_.empty(); }
  void close_clients() override;
  bool has_session(uint32_t id) const override { return sessions_.contains(id); }
  worker::Publication *find_publication(control::StreamId stream) override;
  void on_settings(std::vector<Fd>) override {}
  void on_kick(const control::Kick &message) override;
  void on_answer(control::RequestId request, control::Received &received) override;
  bool on_other(control::Received &) override { return false; }
  void on_second(Nanoseconds now) override;
  void on_next_turn_begin() override;
  void sweep() override;

  Connection *find(uint64_t id);
  std::vector<uint64_t> ids() const;

  Muxers muxers_{*this}; // outlive their readers
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> retired_;
  std::vector<std::unique_ptr<Session>> retired_sessions_;
  std::unordered_map<uint32_t, uint64_t> sessions_; // connections, by the low half of the session's id
  std::unordered_map<control::RequestId, uint64_t> asked_;
  std::vector<uint64_t> unread_;  // connections that read again in the next turn
  std::vector<uint64_t> stalled_; // connections that wait for the control channel
};

} // namespace sluice::rtmp
