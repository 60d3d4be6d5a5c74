// An HTTP server on the loop: accepts connections from a listening socket, or adopts those that others accepted, gives
// whole requests to its listener and sends the answers, which may come at any time. Loop and listener outlive it; it is
// never destroyed from a callback of its own. Ending it closes everything at once; close() does so in order.
//
// Bounded by ServerOptions: connections, the size of a request, the time for everything. To at most kMaxTurnedAway
// connections beyond max_connections a 503 is said; more are closed without a word.
#pragma once

#include "common/http/server/connection.h"
#include "common/loop/tls.h"

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace sluice::http {

// Names a request; never used again. Its connection may be gone.
struct RequestKey {
  uint64_t connection = 0;
  uint64_t number = 0; // within the connection

  bool operator==(const RequestKey &) const = default;
};

// A connection that is no more. Its descriptor is closed with this, or by whoever takes it.
struct ConnectionEnd {
  uint64_t connection = 0;
  Fd fd;
  std::string reason; // for the log
  uint64_t received_bytes = 0, sent_bytes = 0;
};

class HttpServer : loop::Poll::Listener, loop::Timer::Listener, loop::Check::Listener, Connection::Host {
public:
  static constexpr size_t kMaxTurnedAway = 64;

  struct Listener {
    virtual ~Listener() = default;
    // Answer with respond(), from here or later. A request that stays unanswered gets 504.
    virtual void on_request(HttpServer &server, const RequestKey &key, const loop::SocketAddress &peer,
                            Request request) = 0;
    // For the access log; before on_request. Path and method are the client's text: unprintable, of up to 8 KiB.
    virtual void on_access(HttpServer &server, const loop::SocketAddress &peer, const Request &request) = 0;
    // What was no request, or none in time, and what the server answered.
    virtual void on_refused(HttpServer &, const loop::SocketAddress &, const Refusal &) {}
    // The client says nothing more while this request waits: most clients that do so have gone. True: it is taken as
    // gone, on_gone() follows, and its connection ends. False: it will get its answer.
    virtual bool on_half_closed(HttpServer &, const RequestKey &) { return false; }
    // Nobody waits for the answer to this request any more: its connection has ended, or the client took it back.
    virtual void on_gone(HttpServer &, const RequestKey &) {}
    virtual void on_connection_ended(HttpServer &, ConnectionEnd) {}
    // The environment's fault; the server tries again.
    virtual void on_accept_failed(HttpServer &, const Error &) {}
    // After close(): no connection is left.
    virtual void on_closed(HttpServer &) {}
  };

  // `listener_fd` is listening and non-blocking.
  HttpServer(loop::Loop &loop, Listener &listener, Fd listener_fd, const ServerOptions &options = {});
  // Accepts none itself.
  HttpServer(loop::Loop &loop, Listener &listener, const ServerOptions &options);
  ~HttpServer() override;
  HttpServer(const HttpServer &) = delete;
  HttpServer &operator=(const HttpServer &) = delete;

  // False, and nothing happens, if the request was answered already or its connection is gone.
  bool respond(const RequestKey &key, Response response);

  // How long that request may wait from now on, instead of answer_timeout; 0: for ever.
  void set_answer_timeout(const RequestKey &key, Nanoseconds timeout);

  // Serves this connection, `fd`, over `socket`, which uses it. The connection's number; 0: there are too many, and it
  // was closed. Nothing is called back from within.
  uint64_t adopt(Fd fd, loop::StreamSocket socket, const loop::SocketAddress &peer, const Counters &counters = {});
  // Ends it at once.
  void disconnect(uint64_t connection, const std::string &reason);

  // What its listening socket accepts from here on is over TLS, or, with nothing, plain.
  void set_tls(std::optional<loop::TlsServerContext> context) { tls_ = std::move(context); }
  // Another address from here on. What waits at the old one is still accepted, open connections stay.
  void set_listener(Fd listener_fd);
  // Timeouts count from the next event of each connection, max_body_bytes for new connections.
  void set_options(const ServerOptions &options);
  // Stops accepting; requests under way are answered, then on_closed() is called.
  void close();

  size_t connections() const { return connections_.size(); }

private:
  static constexpr int kAcceptsPerTurn = 64;

  void on_poll(int fd, int events) override;
  void on_timer(loop::Timer &timer) override;
  void on_turn_end() override;
  void on_request(Connection &connection, uint64_t number, Request request) override;
  void on_refused(Connection &connection, const Refusal &refusal) override;
  bool on_half_closed(Connection &connection, uint64_t number) override;
  void on_gone(Connection &connection, uint64_t number) override;
  void flush_later(Connection &connection) override;
  void resume_later(Connection &connection) override;
  void on_ended(Connection &connection) override;

  void watch_listener(Fd listener_fd);
  void drop_listener();
  void accept_connections(int limit);
  Connection *find(uint64_t connection);
  void turn_end_soon();
  void start_ticking();
  Nanoseconds tick_interval() const;
  size_t serving() const;

  loop::Loop &loop_;
  Listener &listener_;
  ServerOptions options_;
  Fd listener_fd_;
  std::optional<loop::TlsServerContext> tls_; // of listener_fd_
  std::unique_ptr<loop::Poll> listener_poll_;
  loop::Check turn_end_;
  loop::Timer tick_;  // while there are connections, or accepting failed
  loop::Timer awake_; // so that the turn ends although nothing else happens
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> retired_;
  std::vector<uint64_t> to_flush_, to_resume_, turned_away_; // when the turn ends, or begins
  uint64_t next_connection_ = 1;
  Nanoseconds last_tick_ = 0;
  bool tick_skipped_ = false;
  bool accepting_failed_ = false;
  bool closing_ = false;
  bool closed_ = false; // on_closed() was called
};

} // namespace sluice::http
