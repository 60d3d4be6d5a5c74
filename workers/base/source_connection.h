// The connection of a source to its server: tries the addresses in order, receives into the buffer of a record of the
// session table, sends what requests need. May be closed and connected again. Owned by its Source.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/next_turn.h"
#include "common/loop/socket.h"
#include "common/loop/stream_socket.h"
#include "ipc/shm/session_table.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::worker {

class Server;

class SourceConnection final : public loop::Poll::Listener,
                               public loop::Timer::Listener,
                               public loop::NextTurn::Listener {
public:
  // In each of these the listener may close the connection and connect it again.
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_connected() = 0;
    // What was received and not taken before. The bytes that are taken of it.
    virtual size_t on_received(Bytes input) = 0;
    // It is closed: no address answered, or the server closed it.
    virtual void on_disconnected(const std::string &reason) = 0;
    virtual void on_all_sent() = 0;
  };

  struct Target {
    std::vector<loop::SocketAddress> addresses; // tried in order
    std::optional<loop::TlsClientContext> tls;  // empty: plain
    std::string host;                           // that the certificate is to be for
  };

  // The record goes back to its table with the connection.
  SourceConnection(Server &server, Listener &listener, shm::ConnectionRecord &record, Target target);
  ~SourceConnection() override;

  void connect();
  void close();
  bool connected() const { return state_ == State::Connected; }
  // The bytes are wiped. False: too much waits to be sent.
  bool send(std::string &bytes);
  bool output_pending() const { return output_begin_ < output_.size() || (socket_ && socket_->wants_write()); }
  void pause(); // receives nothing more until resume(), and offers nothing of what it has
  void resume();
  bool paused() const { return paused_; }
  // Much comes from now on, until it is closed: as much as there is is received at a time.
  void expect_media() { expects_media_ = true; }
  // Nothing more is sent, and what still comes is dropped.
  void finish();

  const loop::SocketAddress &peer() const { return peer_; }
  const loop::SocketAddress &local() const { return local_; }
  uint64_t id() const { return record_.id; }

private:
  enum class State : uint8_t { Closed, Connecting, Connected, Finishing };
  static constexpr size_t kMaxOutputBytes = 64 * 1024;
  static constexpr Nanoseconds kShortestAttempt = 2 * kSecond;

  void on_poll(int fd, int events) override;
  void on_timer(loop::Timer &timer) override;
  void on_next_turn() override;
  void try_next(std::string failure);
  Result<void> begin(const loop::SocketAddress &address);
  Result<void> open_stream();
  void finish_connecting();
  void receive();
  void offer();
  bool make_input_room();
  void move_input(shm::BufferId target, Bytes bytes);
  void keep(Bytes rest);
  void flush();
  void forget_output();
  void update_watch();
  void disconnect(const std::string &reason);

  Server &server_;
  Listener &listener_;
  shm::ConnectionRecord &record_;
  Target target_;
  size_t next_address_ = 0;
  loop::SocketAddress peer_, local_;
  State state_ = State::Closed;
  uint64_t generation_ = 0; // of the connection: another after each close()
  std::optional<loop::StreamSocket> socket_;
  std::unique_ptr<loop::Poll> poll_;
  loop::Timer timer_;        // of an attempt; or looks for input buffers
  loop::NextTurn next_turn_; // for what TLS has decrypted already
  bool paused_ = false, expects_media_ = false;
  bool awaits_buffer_ = false; // nothing is received until the timer has looked for one
  ByteVector output_;
  size_t output_begin_ = 0;
};

} // namespace sluice::worker
