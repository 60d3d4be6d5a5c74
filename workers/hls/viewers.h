// The requests that wait in this worker, and why: for a verdict, for a muxer, for more of a stream. Answers them when
// that has come, or when they have waited long enough. Owned by the Server.
#pragma once

#include "common/base/ip_list.h"
#include "common/http/server/server.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "workers/hls/playlist/directives.h"
#include "workers/hls/playout.h"
#include "workers/hls/route.h"
#include "workers/hls/verdicts.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace sluice::hls {

class Server;

class Viewers {
public:
  static constexpr size_t kMaxPending = 20'000;               // more are answered with 503
  static constexpr Nanoseconds kReadyPatience = 20 * kSecond; // for a first playlist, once the stream is there
  static constexpr int kPlaylistPatience = 3;                 // target durations, for more of it

  explicit Viewers(Server &server) : server_(server) {}

  void configure(const control::HlsSettings &settings);
  // A GET or HEAD of a file of a stream.
  void on_request(const http::RequestKey &key, std::string_view peer, Route route, http::Request request);
  void on_gone(const http::RequestKey &key); // nobody waits for it any more
  // The answer to an Authorize or a Mux of here. False: to neither.
  bool on_answer(control::RequestId request, control::Received &received);
  void on_withdrawn(control::MuxerId muxer);
  void forget_verdicts() { verdicts_.forget_all(); }
  void on_store_news(size_t store_index) { news_.insert(store_index); }
  void look_at_news(); // at the end of a turn
  void on_second(Nanoseconds now);
  void close(); // 503 to all

private:
  using KeyText = std::pair<uint64_t, uint64_t>;
  struct Pending {
    http::RequestKey key;
    http::Request request;
    Route route;
    std::string address; // of the client, behind trusted proxies
    Verdicts::Key asker{};
    Nanoseconds deadline = 0; // 0: whoever was asked answers in time
    // Of a playlist, once it was looked at.
    std::optional<Directives> directives = {};
    std::string carried_query = {};
  };
  struct Stream {
    std::unique_ptr<Playout> playout;
    shm::SessionRecord *record = nullptr; // what they were sent; null: the table was full
    std::vector<KeyText> waiting;
    bool used = false; // since the supervisor was told
  };
  struct Question {
    Verdicts::Key asker{};        // of an Authorize
    std::string path;             // of a Mux
    std::vector<KeyText> waiting; // for its answer
  };

  static KeyText text_of(const http::RequestKey &key) { return {key.connection, key.number}; }
  Pending *find(const KeyText &key);
  void authorize(Pending &pending);
  void on_verdict(Question question, const control::Message &answer);
  void ask_for_stream(Pending &pending);
  void on_stream(Question question, control::Received &received);
  void enter(Pending &pending);
  bool serve(Pending &pending, Stream &stream); // false: it has to wait
  static Result<void> look_at_query(Pending &pending);
  bool serve_playlist(Pending &pending, Stream &stream);
  bool serve_file(Pending &pending, Stream &stream, const FileName &name);
  void wait_for(Pending &pending, Stream &stream, Nanoseconds patience);
  void answer(Pending &pending, http::Response response);
  void fail(Pending &pending, uint16_t status, std::string_view reason = {});
  void refuse(Pending &pending, const control::Refused &refused);
  void count(const Pending &pending, const http::Response &response);
  void drop_stream(std::map<std::string, Stream>::iterator stream);

  Server &server_;
  IpList trusted_proxies_;
  Verdicts verdicts_;
  std::map<KeyText, Pending> pending_;
  std::map<control::RequestId, Question> questions_;
  std::map<Verdicts::Key, control::RequestId> verdicts_asked_;
  std::map<std::string, control::RequestId> streams_asked_;
  std::map<std::string, Stream> streams_; // by path
  std::set<size_t> news_;                 // stores
};

} // namespace sluice::hls
