// Pulls one stream from another RTMP server into a ring: joins the client's machine to a connection and to a Publisher,
// and tells the supervisor how it goes. One attempt: whatever fails ends it, and the supervisor decides what comes
// next. Owned by worker::Sources.
#pragma once

#include "common/loop/loop.h"
#include "ipc/control/channel.h"
#include "workers/base/source.h"
#include "workers/base/source_connection.h"
#include "workers/base/sources.h"
#include "workers/rtmp/protocol/client_machine.h"
#include "workers/rtmp/publisher.h"

#include <memory>
#include <string>
#include <vector>

namespace sluice::rtmp {

class Server;

class Source final : public worker::Source,
                     public worker::SourceConnection::Listener,
                     public loop::Timer::Listener,
                     MediaSink,
                     Publisher::Listener {
public:
  static Result<std::unique_ptr<worker::Source>> create(Server &server, const control::StartSource &start,
                                                        const std::vector<Fd> &fds);
  // Both records go back to their table with the source.
  Source(Server &server, const control::StartSource &start, Url url, worker::SourceConnection::Target target,
         worker::Sources::Records records);
  ~Source() override;

  void begin() override;
  void on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) override;
  void stop() override;
  void fail(const std::string &reason) override;
  void on_second(Nanoseconds now) override;
  worker::Publication *publication() override { return publisher_ ? &publisher_->publication() : nullptr; }

private:
  enum class Phase : uint8_t {
    Pulling,
    Leaving, // its last words to the server are under way
    Retired,
  };
  static constexpr Nanoseconds kFarewell = kSecond;
  static constexpr size_t kMaxHeldBytes = 8 << 20; // of messages until the stream is granted; empty ones take some, too

  void on_connected() override;
  size_t on_received(Bytes input) override;
  void on_disconnected(const std::string &reason) override;
  void on_all_sent() override;
  void on_timer(loop::Timer &timer) override;
  void on_uncongested() override { connection_.resume(); }
  Result<void> on_media(const MediaMessage &message) override;

  void perform(ClientEffects &effects);
  void send(ByteVector &bytes);
  Result<void> find_tracks(const MediaMessage &message);
  void leave();
  void retire();
  void watch_deadline();
  Nanoseconds now() const;

  Server &server_;
  shm::SessionRecord &record_;
  Phase phase_ = Phase::Pulling;
  ClientMachine machine_;
  worker::SourceConnection connection_;
  TrackFinder finder_;
  std::vector<HeldMessage> held_;
  size_t held_bytes_ = 0;
  std::unique_ptr<Publisher> publisher_;
  bool asked_ = false;                              // SourceReady was sent
  Nanoseconds received_at_ = 0, received_wall_ = 0; // of the input that is being taken
  Nanoseconds last_media_ns_;                       // or the begin
  loop::Timer timer_;                               // the deadline of media, or the end of the farewell
};

} // namespace sluice::rtmp
