// Pulls one stream from another RTSP server into a ring: joins the client's machine to a connection, to UDP sockets
// and to a Publisher, and tells the supervisor how it goes. One attempt: whatever fails ends it, and the supervisor
// decides what comes next. Owned by worker::Sources.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "ipc/control/channel.h"
#include "workers/base/source.h"
#include "workers/base/source_connection.h"
#include "workers/base/sources.h"
#include "workers/rtsp/protocol/client.h"
#include "workers/rtsp/publisher.h"
#include "workers/rtsp/source_sockets.h"

#include <memory>
#include <optional>

namespace sluice::rtsp {

class Server;

using worker::SourceConnection;

class Source final : public worker::Source,
                     public SourceConnection::Listener,
                     public SourceSockets::Listener,
                     public ClientMedia,
                     public Publisher::Listener,
                     public loop::Timer::Listener {
public:
  static Result<std::unique_ptr<worker::Source>> create(Server &server, const control::StartSource &start,
                                                        const std::vector<Fd> &fds);
  // Both records go back to their table with the source.
  Source(Server &server, const control::StartSource &start, Url url, SourceConnection::Target target,
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

  void on_connected() override;
  size_t on_received(Bytes input) override;
  void on_disconnected(const std::string &reason) override;
  void on_all_sent() override;
  void on_datagram(size_t track, bool rtcp, Bytes datagram, Nanoseconds wall) override;
  void on_datagrams_end() override;
  Result<void> on_interleaved(size_t track, bool rtcp, Bytes packet) override;
  void on_uncongested() override;
  void on_receiver_report(uint32_t track, Bytes rtcp) override;
  void on_timer(loop::Timer &timer) override;

  void perform(ClientEffects &effects);
  void perform(client::Send &effect);
  void perform(const client::OpenPorts &effect);
  void perform(const client::TrackSetUp &effect);
  void perform(const client::Ready &effect);
  void perform(const client::StartOver &effect);
  void perform(const client::Moved &effect);
  void perform(const client::Failed &effect);
  void play();
  void leave();
  void retire();
  void watch_deadline();
  Nanoseconds now() const;

  Server &server_;
  bool any_port_;
  shm::SessionRecord &record_;
  Phase phase_ = Phase::Pulling;
  Client client_;
  SourceConnection connection_;
  SourceSockets sockets_;
  std::unique_ptr<Publisher> publisher_;
  media::StreamDescription description_;                   // as the supervisor knows it
  std::array<uint8_t, media::kMaxTracks> rtcp_channels_{}; // of interleaved tracks
  bool asked_ = false;                                     // SourceReady was sent
  Nanoseconds received_at_ = 0, received_wall_ = 0;        // of the input that is being taken
  loop::Timer timer_;                                      // the machine's deadline, or the end of the farewell
  std::optional<Nanoseconds> timer_due_;
};

} // namespace sluice::rtsp
