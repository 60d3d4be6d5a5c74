// One RTSP connection: joins its record in the session table to the loop and to the state machine. Input is received
// straight into the record's buffer and consumed only once its reply stands in the output buffer; output is that
// buffer, then whatever the connection's Reader sends from the ring. Owned by the Server.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "common/loop/stream_socket.h"
#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "workers/rtsp/protocol/machine.h"

#include <memory>
#include <optional>
#include <string>

namespace sluice::rtsp {

class Server;
class Session;

// What a connection keeps in its record beside the common fields.
struct ConnectionRecordState {
  ConnectionState machine;
  ParseHint hint; // of the request that the input buffer begins with
};

class Connection final : public loop::Poll::Listener {
public:
  // The record names the descriptor, which the connection closes and the socket uses.
  Connection(Server &server, shm::ConnectionRecord &record, const loop::SocketAddress &peer, loop::StreamSocket socket);
  ~Connection() override;

  uint64_t id() const { return record_.id; }
  int fd() const { return record_.fd; }
  loop::StreamSocket &socket() { return socket_; }
  bool tls() const { return socket_.is_tls(); }
  const std::string &peer() const { return peer_text_; }
  const loop::SocketAddress &peer_address() const { return peer_; }
  ConnectionState &state() { return shared_state().machine; }

  // Bytes that arrived elsewhere, before anything is received here.
  void take_over_input(Bytes unread, uint64_t received_bytes);
  // The supervisor is told that it is there; `token`: of a HandOver, or 0.
  void report(uint64_t token);
  // The supervisor's answer to what the connection asked.
  void on_answer(control::Received &received);
  void on_second(Nanoseconds now);
  void on_channel_room();
  // As Server::read_again() was asked.
  void on_unread();

  // Queues bytes behind what is queued. False: no buffer is large enough; the connection closes for this reason.
  bool send(Bytes bytes, const char *reason = "the client does not read its replies");
  size_t output_room() const { return shm::kLargeBufferBytes - (record_.output_end - record_.output_begin); }
  bool output_pending() const { return output_queued() || socket_.wants_write(); }
  // Something could not be sent; on_writable of the session's reader is called when it can.
  void want_writable();
  void note_progress(); // something was sent since
  // Stops reading input until resume_input().
  void pause_input();
  void resume_input();

  // Ends it: what is queued is still sent (bounded by writeTimeout), input is discarded, the session unlinked.
  void close(const std::string &reason);
  // The same at the end of the server: waits for nothing but unsent output.
  void end(const std::string &reason);

private:
  enum class Phase : uint8_t {
    Open,
    Asking,    // a request waits for the supervisor; no further input is looked at
    Delaying,  // the last reply waits for a while, since authentication failed too often
    Lingering, // closed for us; waits for output to leave and the client to close
    Retired,
  };

  static constexpr Nanoseconds kLinger = kSecond;
  static constexpr int kReadsPerTurn = 16; // of a TLS connection, then others get their turn

  void on_poll(int fd, int events) override;
  void update_watch();
  ConnectionRecordState &shared_state() { return *reinterpret_cast<ConnectionRecordState *>(record_.protocol_state); }

  void receive();
  bool receive_once();
  bool make_input_room();
  bool could_be_larger();
  void process_input();
  // Bytes consumed from the input's front; empty: incomplete, or the connection waits or closes.
  std::optional<size_t> process_item(Bytes input);
  std::optional<size_t> process_frame(Bytes input, size_t skip);
  std::optional<size_t> process_request(Bytes input);
  void consume(size_t bytes);
  bool output_queued() const { return record_.output_begin < record_.output_end; }
  void flush_output();
  void on_write_error(const std::string &reason);
  void say_goodbye();
  void discard_input();

  void handle(ParsedRequest &parsed);
  void perform(Decision decision);
  void perform_reply(Reply &reply);
  void begin_publish(BeginPublish &&decision);
  void begin_read(BeginRead &&decision);
  void set_up_track(const SetupTrack &decision);
  void finish_set_up();
  void finish_read();
  void start_play();
  void pause_media(const PauseMedia &decision);
  void end_session();
  void on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings);
  void on_granted(const control::ReadGranted &granted, const Fd &ring);
  Session *session();
  Session *session_or_new();
  void finish(Reply reply);
  void answer_unauthorized(const control::Refused &refused);
  control::Credentials credentials() const;
  void forget_request();
  void hand_over(uint32_t wire_id);
  void ask(control::Message message);
  ServerFacts facts() const;
  const char *label() const { return tls() ? "RTSPS" : "RTSP"; }

  Server &server_;
  shm::ConnectionRecord &record_;
  loop::SocketAddress peer_;
  std::string peer_text_;
  loop::StreamSocket socket_;
  loop::Poll poll_;
  Phase phase_ = Phase::Open;
  bool awaits_buffer_ = false; // its input is paused until an input buffer is free
  bool stalled_ = false;       // its next request waits for room in the control channel
  bool input_paused_ = false, wants_writable_ = false, had_request_ = false;
  Nanoseconds last_input_ns_, last_input_wall_ns_ = 0, blocked_since_ns_ = 0, linger_until_ns_ = 0;
  size_t blocked_bytes_ = 0;            // that the peer had not acknowledged a second ago, while blocked
  Nanoseconds incomplete_since_ns_ = 0; // the input's front waits for its rest since then; 0: it does not
  // Of the moment only, so not in every connection: what is being handled, what the supervisor was asked for, the reply
  // that waits.
  std::unique_ptr<Request> request_;
  std::unique_ptr<Decision> decision_;
  std::unique_ptr<Reply> delayed_reply_;
  size_t request_bytes_ = 0;      // of it in the input buffer
  size_t consumed_this_turn_ = 0; // of the input buffer's front, not cut off yet
  Nanoseconds delayed_until_ns_ = 0;
  bool wipe_input_ = false;    // the request that is being consumed held credentials
  bool reported_ = false;      // the supervisor was told of the connection
  bool unread_queued_ = false; // on_unread() follows
  bool said_goodbye_ = false;
};

} // namespace sluice::rtsp
