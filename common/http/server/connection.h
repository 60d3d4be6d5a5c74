// One client of an HTTP server: joins its socket, plain or TLS, to the Protocol that the client speaks. Its host owns
// it, outlives it, and destroys it after the turn in which on_ended() was called, never within a callback.
//
// What it holds is bounded by the Protocol. It reads and writes at most a share per turn, so that others get theirs.
#pragma once

#include "common/base/fd.h"
#include "common/http/protocol.h"
#include "common/http/server/options.h"
#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "common/loop/stream_socket.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace sluice::http {

// Bytes of HTTP, without TLS around them. The counters may lie elsewhere; null: nobody else looks.
struct Counters {
  std::atomic<uint64_t> *received = nullptr, *sent = nullptr;
};

class Connection final : loop::Poll::Listener, Protocol::Listener {
public:
  struct Host {
    virtual void on_request(Connection &connection, uint64_t number, Request request) = 0;
    // Answered already; the connection closes, or that request of several is over.
    virtual void on_refused(Connection &connection, const Refusal &refusal) = 0;
    // The client says nothing more. True: it is taken as gone, though its requests wait for answers.
    virtual bool on_half_closed(Connection &connection, uint64_t number) = 0;
    // That request waited for its answer, and nobody wants it any more.
    virtual void on_gone(Connection &connection, uint64_t number) = 0;
    // flush() is to be called at the end of this turn.
    virtual void flush_later(Connection &connection) = 0;
    // resume() is to be called in the next turn: its socket has more, and the descriptor won't tell.
    virtual void resume_later(Connection &connection) = 0;
    // Its socket is not used any more; take_fd() has it.
    virtual void on_ended(Connection &connection) = 0;

  protected:
    ~Host() = default;
  };

  // `fd` is what `socket` uses.
  Connection(loop::Loop &loop, Host &host, const ServerOptions &options, uint64_t id, Fd fd, loop::StreamSocket socket,
             const loop::SocketAddress &peer, const Counters &counters);

  // Without a request, before anything else.
  void turn_away(const Refusal &refusal);
  // False, and ignored, unless request `number` waits for it.
  bool answer(uint64_t number, Response response);
  void set_answer_timeout(uint64_t number, Nanoseconds timeout);
  void flush();
  void resume();
  // No further requests; closes as soon as those under way are answered.
  void finish();
  // Ends at once.
  void end(std::string reason);
  void on_tick(Nanoseconds now);

  uint64_t id() const { return id_; }
  const loop::SocketAddress &peer() const { return peer_; }
  bool is_tls() const { return socket_.is_tls(); }
  // Its last answer was decided on; what is left is to deliver it.
  bool leaving() const;
  bool ended() const { return state_ == State::Ended; }
  const std::string &end_reason() const { return end_reason_; }
  uint64_t received_bytes() const { return received_bytes_; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  Fd take_fd() { return std::move(fd_); }

private:
  enum class State : uint8_t {
    Shaking,   // the TLS handshake is under way
    Silent,    // what came so far does not tell which version of HTTP it is
    Open,      // there is a Protocol
    Lingering, // all was sent, and a FIN
    Ended,     // the socket is not used any more
  };

  void on_poll(int fd, int events) override;
  void on_request(uint64_t number, Request request) override;
  void on_refused(const Refusal &refusal) override;
  void on_withdrawn(uint64_t number) override;

  void look_at_clocks();
  void update_watch();
  void receive();
  bool receive_once();
  void on_shaken();
  void on_input(Bytes input);
  void on_input_end();
  void choose_protocol(Bytes input);
  void speak_http1();
  void speak_http2();
  void discard();
  void pump();
  bool send_some(size_t &budget);
  void after_pump();
  void linger();

  loop::Loop &loop_;
  Host &host_;
  const ServerOptions &options_;
  const uint64_t id_;
  Fd fd_;
  loop::StreamSocket socket_;
  loop::SocketAddress peer_;
  Counters counters_;
  std::optional<loop::Poll> poll_; // until Ended

  State state_;
  Now now_;              // as the call that runs began
  Nanoseconds deadline_; // but that of the Protocol
  std::unique_ptr<Protocol> protocol_;
  std::optional<Refusal> turned_away_; // while Shaking
  std::string first_input_;            // while Silent; shorter than kHttp2Preface
  bool input_ended_ = false;
  bool busy_ = false; // within the protocol: what it has to send is sent afterwards
  bool said_goodbye_ = false;
  bool torn_ = false;
  bool blocked_ = false;      // the socket takes nothing now
  bool flush_asked_ = false;  // flush_later() was called
  bool resume_asked_ = false; // resume_later() was called
  std::string end_reason_;
  uint64_t received_bytes_ = 0, sent_bytes_ = 0;
};

} // namespace sluice::http
