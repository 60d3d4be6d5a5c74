// What one connection publishes or plays: asks the supervisor, finds out a publisher's tracks, joins a Publisher or a
// Reader to the connection. Owned by its Connection, which may have another one when this has ended.
#pragma once

#include "ipc/control/channel.h"
#include "ipc/shm/session_table.h"
#include "workers/base/streams.h"
#include "workers/rtmp/protocol/machine.h"
#include "workers/rtmp/publisher.h"
#include "workers/rtmp/reader.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::rtmp {

class Connection;
class Server;

class Session final : Publisher::Listener {
public:
  enum class Role : uint8_t { Publish, Play };

  Session(Server &server, Connection &connection, shm::SessionRecord &record, Role role, std::string path);
  ~Session();

  control::SessionId id() const { return record_.id; }
  shm::SessionRecord &record() { return record_; }
  Connection &connection() { return connection_; }
  Role role() const { return role_; }
  uint32_t stream_number() const; // RTMP's message stream
  // The query holds credentials; it is wiped.
  void ask(std::string &query);
  void on_answer(control::Received &received);

  // A publisher's. Error: the connection closes.
  Result<void> on_media(const MediaMessage &message);
  // All of one receive was taken.
  void on_input_end(uint64_t input_position, Nanoseconds now);
  // More input should wait.
  bool wants_input() const { return !holds_input_ && !congested_; }
  bool asks() const { return state_ == State::Asking; } // whether it may
  // Media may come at any time: it was told to start.
  bool publishes() const { return role_ == Role::Publish && state_ != State::Asking; }
  worker::Publication *publication() { return publisher_ ? &publisher_->publication() : nullptr; }

  void on_writable();
  bool complete_message() { return !reader_ || reader_->complete_message(); }
  void set_paused(bool paused);
  bool paused() const { return paused_; }
  void warn_too_slow();

  void on_second(Nanoseconds now);
  // What the stream still holds for a reader, as far as it takes it at once.
  void deliver_rest();
  // The supervisor is told; what was granted is given back. Its memory goes later: it may be in the middle of a call.
  void close();
  bool closed() const { return state_ == State::Closed; }

private:
  enum class State : uint8_t {
    Asking,     // whether it may; for a reader also for the stream
    Finding,    // a publisher's tracks
    Announcing, // them to the supervisor
    Active,
    Closed,
  };
  static constexpr size_t kMaxHeldBytes =
      8 << 20; // of messages until the tracks are announced; empty ones take some, too

  void on_uncongested() override;
  void on_admitted();
  void on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings);
  void on_recorded();
  void on_granted(const control::ReadGranted &granted, const Fd &ring);
  void on_refused(const control::Refused &refused);
  Result<void> begin_reading(const control::ReadGranted &granted, const Fd &ring);
  Result<void> find_tracks(const MediaMessage &message);
  void announce();
  void refuse(Refusal refusal, const std::string &reason);

  Server &server_;
  Connection &connection_;
  shm::SessionRecord &record_;
  const Role role_;
  const std::string path_;
  State state_ = State::Asking;
  TrackFinder finder_;
  std::vector<HeldMessage> held_;
  size_t held_bytes_ = 0;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Reader> reader_;
  worker::Stream *stream_ = nullptr;
  bool holds_input_ = false, congested_ = false, paused_ = false;
};

} // namespace sluice::rtmp
