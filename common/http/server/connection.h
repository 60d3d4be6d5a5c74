// One client of an HTTP server: owns its socket, takes requests apart, one at a time, and sends their answers. Its host
// owns it, outlives it, and destroys it after the turn in which on_ended() was called, never within a callback.
//
// What it holds is bounded: the parser's share, kMaxUnreadBytes of pipelined input, and one answer.
#pragma once

#include "common/base/fd.h"
#include "common/http/request_parser.h"
#include "common/http/response.h"
#include "common/http/server/options.h"
#include "common/loop/loop.h"
#include "common/loop/socket.h"

#include <optional>

namespace sluice::http {

class Connection final : loop::Poll::Listener {
public:
  struct Host {
    virtual ~Host() = default;
    virtual void on_request(Connection &connection, uint64_t number, Request request) = 0;
    // Answered already; the connection closes.
    virtual void on_refused(Connection &connection, const Refusal &refusal) = 0;
    // Its socket is closed.
    virtual void on_ended(Connection &connection) = 0;
  };

  static constexpr size_t kMaxUnreadBytes = 16 * 1024;

  Connection(loop::Loop &loop, Host &host, const ServerOptions &options, uint64_t id, Fd fd,
             const loop::SocketAddress &peer);

  // Without a request, before anything else.
  void turn_away(const Refusal &refusal);
  // False, and ignored, unless request `number` waits for it.
  bool answer(uint64_t number, Response response);
  // No further requests; closes as soon as the one under way is answered.
  void finish();
  void on_tick(Nanoseconds now);

  uint64_t id() const { return id_; }
  const loop::SocketAddress &peer() const { return peer_; }
  // Its last answer was decided on; what is left is to deliver it.
  bool leaving() const { return closing_; }

private:
  enum class State : uint8_t {
    Idle,      // between requests
    Reading,   // part of a request is there
    Asking,    // a request waits for its answer
    Writing,   // an answer is being sent
    Lingering, // all was sent, and a FIN
    Ended,     // the socket is closed
  };

  void on_poll(int fd, int events) override;

  void set_state(State next);
  bool may_follow(State next) const;
  void update_watch();
  void receive();
  void discard();
  void process_input();
  void handle(RequestParser::Progress &progress, bool more_input);
  void refuse(const Refusal &refusal);
  void send_answer(Response response);
  void flush();
  void answered();
  void linger();
  void end();

  loop::Loop &loop_;
  Host &host_;
  const ServerOptions &options_;
  const uint64_t id_;
  Fd fd_;
  loop::SocketAddress peer_;
  std::optional<loop::Poll> poll_; // until Ended

  State state_ = State::Idle;
  Nanoseconds deadline_ = 0;
  RequestParser parser_;
  ByteVector input_; // received, not yet given to the parser
  bool input_ended_ = false;
  bool processing_ = false;   // process_input() is under way
  bool last_request_ = false; // finish() was called
  bool closing_ = false;      // the answer being sent is the last one

  uint64_t request_number_ = 0;
  Framing framing_; // for the answer to that request
  std::string output_head_, output_body_;
  size_t sent_ = 0; // of both
};

} // namespace sluice::http
