// One RTMP connection: joins its record in the session table to the loop and to the protocol's machine, and has at most
// one session at a time. Input is received into a buffer of the table, which is large only while something is being
// received; output is a small queue, then whatever the session's Reader sends. Owned by the Server.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "common/loop/stream_socket.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "workers/rtmp/protocol/machine.h"
#include "workers/rtmp/session.h"

#include <memory>
#include <optional>
#include <string>

namespace sluice::rtmp {

class Server;

class Connection final : public loop::Poll::Listener, MediaSink {
public:
  // Of what the machine says; a player's may hold the rest of a message that it was cut off in besides.
  static constexpr size_t kMaxOutputBytes = 256 * 1024;

  // The record names the descriptor, which the connection closes and the socket uses. `rejection`: why the client is
  // sent away as soon as it has said `connect`; "" = it is not.
  Connection(Server &server, shm::ConnectionRecord &record, const loop::SocketAddress &peer, loop::StreamSocket socket,
             std::string rejection);
  ~Connection() override;

  uint64_t id() const { return record_.id; }
  loop::StreamSocket &socket() { return socket_; }
  uint32_t log_id() const { return record_.log_id; } // its sessions have it too
  bool tls() const { return socket_.is_tls(); }
  const char *label() const { return tls() ? "RTMPS" : "RTMP"; } // of its log lines
  const std::string &peer() const { return peer_text_; }
  ServerMachine &machine() { return machine_; }
  Session *session() { return session_ && !session_->closed() ? session_.get() : nullptr; }
  Nanoseconds received_at() const { return last_input_ns_; }
  Nanoseconds received_wall() const { return last_input_wall_ns_; }

  void report(); // the supervisor is told that it is there
  // The answer to this request is the session's.
  void expect(control::RequestId request) { expected_ = request; }
  void on_answer(control::RequestId request, control::Received &received);
  void on_kick(control::SessionId session, const std::string &reason);
  void on_kick(const std::string &reason); // whatever it does
  void on_second(Nanoseconds now);
  void on_channel_room();
  void on_unread(); // as Server::read_again() was asked

  // Queues bytes behind what is queued, and behind what was begun of a message. False: there is too much, and the
  // connection closes.
  bool send(Bytes bytes);
  bool output_pending() const { return output_begin_ < output_.size() || socket_.wants_write(); }
  // Something could not be sent; the session's on_writable() is called when it can.
  void want_writable();
  void note_progress(); // something was sent since
  // Input that waited may be taken.
  void go_on();

  // Ends it: what is queued is still sent (bounded by writeTimeout), input is discarded.
  void close(const std::string &reason);
  // The same after a pause: guessing passwords shall take time.
  void close_later(const std::string &reason);
  // The same at the end of the server: waits for nothing but unsent output.
  void end(const std::string &reason);

private:
  enum class Phase : uint8_t {
    Open,
    Delaying,  // nothing more is taken; closes after a pause
    Lingering, // closed for us; waits for output to leave and the client to close
    Retired,
  };
  static constexpr Nanoseconds kSilence = 30 * kSecond; // of a player and of us, then it is asked whether it is there
  static constexpr Nanoseconds kLinger = kSecond, kRefusalPause = 2 * kSecond;
  static constexpr size_t kAnswersBytes = 16 * 1024;
  static constexpr int kReadsPerTurn = 16; // of a TLS connection, then others get their turn

  void on_poll(int fd, int events) override;
  Result<void> on_media(const MediaMessage &message) override;
  void update_watch();
  void receive();
  bool receive_once();
  bool make_input_room();
  void process_input();
  void keep(Bytes rest);
  void perform(ServerEffects &effects);
  void perform(server::PublishRequested &effect);
  void perform(server::PlayRequested &effect);
  void perform(const server::PauseChanged &effect);
  void perform(const server::Finished &effect);
  void begin_session(Session::Role role, std::string path, std::string &query);
  void forget_question();
  void end_session();
  bool takes_input() const;
  bool asks() const;
  void flush_output();
  void on_write_error(const std::string &reason);
  void say_goodbye();
  void forget_input();
  void discard_input();
  void ask_whether_it_is_there(Nanoseconds now);
  void retire();

  Server &server_;
  shm::ConnectionRecord &record_;
  std::string peer_text_;
  loop::StreamSocket socket_;
  loop::Poll poll_;
  ServerMachine machine_;
  std::unique_ptr<Session> session_;
  Phase phase_ = Phase::Open;
  ByteVector output_;
  size_t output_begin_ = 0;
  std::optional<control::RequestId> expected_;
  Nanoseconds opened_ns_, last_input_ns_, last_input_wall_ns_ = 0, blocked_since_ns_ = 0;
  Nanoseconds until_ns_ = 0;    // of a pause, or of lingering
  uint64_t traffic_bytes_ = 0;  // in both directions, as of a second ago
  Nanoseconds silent_since_ns_; // both directions
  Nanoseconds pinged_ns_ = 0;   // since then there was silence; 0: no ping is under way
  size_t blocked_bytes_ = 0;    // that the peer had not acknowledged a second ago, while blocked
  std::string delayed_reason_;
  std::string write_error_; // while input is processed
  bool processing_ = false;
  bool stalled_ = false;       // waits for room in the control channel
  bool awaits_buffer_ = false; // its input is paused until an input buffer is free
  bool wants_writable_ = false, reported_ = false, unread_queued_ = false, said_goodbye_ = false;
};

} // namespace sluice::rtmp
