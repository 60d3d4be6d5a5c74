// What an HLS worker serves beside what every worker does: HTTP connections, whose requests are answered from segment
// stores, and the muxers that fill those of the streams that were given to this worker.
#pragma once

#include "common/http/server/server.h"
#include "workers/base/server.h"
#include "workers/hls/muxer.h"
#include "workers/hls/page/page.h"
#include "workers/hls/viewers.h"

#include <memory>
#include <unordered_map>
#include <vector>

namespace sluice::hls {

class Server final : public worker::Server, http::HttpServer::Listener {
public:
  Server(loop::Loop &loop, worker::Supervisor &supervisor, shm::SessionTable &table, worker::ServerParts parts);
  ~Server() override;

  void on_channel_room() override {}

  // --- for viewers and muxers ---

  void respond(const http::RequestKey &key, http::Response response);
  void count_answer(uint16_t status);
  // Of the viewers of a stream; null: the table is full.
  shm::SessionRecord *take_viewers(control::MuxerId muxer);
  control::RequestId ask(Muxer &muxer); // its on_answer() gets the answer
  void retire(Muxer &muxer);
  void on_published(const store::StoreWriter &store);

private:
  void on_accepted(Fd fd, worker::Transport transport) override;
  void on_store_news(size_t store_index) override { viewers_.on_store_news(store_index); }
  Result<std::unique_ptr<worker::Source>> make_source(const control::StartSource &message,
                                                      const std::vector<Fd> &fds) override;
  bool has_clients() const override { return !connections_.empty() || !muxers_.empty(); }
  void close_clients() override;
  bool has_session(uint32_t id) const override { return sessions_.contains(id); }
  worker::Publication *find_publication(control::StreamId) override { return nullptr; }
  void on_settings(std::vector<Fd>) override;
  void on_kick(const control::Kick &message) override;
  void on_answer(control::RequestId request, control::Received &received) override;
  bool on_other(control::Received &received) override;
  void on_second(Nanoseconds now) override;
  void on_next_turn_begin() override {}
  void sweep() override;

  void on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &peer,
                  http::Request request) override;
  void on_access(http::HttpServer &, const loop::SocketAddress &peer, const http::Request &request) override;
  void on_gone(http::HttpServer &, const http::RequestKey &key) override { viewers_.on_gone(key); }
  bool on_half_closed(http::HttpServer &, const http::RequestKey &) override { return true; }
  void on_connection_ended(http::HttpServer &, http::ConnectionEnd end) override;

  void send_asset(const http::RequestKey &key, const http::Request &request, const PageAsset &asset);
  void start_muxer(const control::StartMuxer &message, std::vector<Fd> &fds);
  Muxer *find_muxer(control::MuxerId id);

  http::HttpServer http_;
  Viewers viewers_;
  std::unordered_map<uint64_t, shm::ConnectionRecord *> connections_; // by the number that http_ gave them
  std::unordered_map<control::MuxerId, std::unique_ptr<Muxer>> muxers_;
  std::vector<std::unique_ptr<Muxer>> retired_;
  std::unordered_map<uint32_t, control::MuxerId> sessions_; // by the low half of the session's id
  std::unordered_map<control::RequestId, control::MuxerId> asked_;
};

} // namespace sluice::hls
