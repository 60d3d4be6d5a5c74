// Takes the RTP packets that a session or a source publishes, track by track, and puts them into the stream's ring with
// all facts about them; reports to its readers and to the publisher. Owned by its Session or Source.
#pragma once

#include "common/loop/loop.h"
#include "common/rtp/continuation.h"
#include "common/rtp/track_receiver.h"
#include "workers/base/publication.h"

#include <memory>
#include <optional>
#include <vector>

namespace sluice::rtsp {

class Server;

class Publisher final : public rtp::TrackReceiver::Sink, public loop::Timer::Listener, worker::Publication::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    // The ring has room again for input that waited for a larger one.
    virtual void on_uncongested() = 0;
    virtual void on_receiver_report(uint32_t track, Bytes rtcp) = 0;
  };

  static Result<std::unique_ptr<Publisher>> create(Server &server, Listener &listener,
                                                   const control::PublishGranted &granted, const std::vector<Fd> &rings,
                                                   const media::StreamDescription &description);
  ~Publisher() override;

  worker::Publication &publication() { return *publication_; }
  control::StreamId stream() const { return publication_->stream(); }
  size_t track_count() const { return tracks_.size(); }

  void start(bool over_udp); // RECORD
  void stop();               // PAUSE, or the end
  bool recording() const { return recording_; }
  // When it goes the ring stays as it is, for whoever continues it.
  void leave_ring_open() { publication_->leave_ring_open(); }

  // Error: malformed; ends the connection over TCP, is ignored over UDP.
  Result<void> on_rtp(uint32_t track, Bytes packet, Nanoseconds now, Nanoseconds wall);
  Result<void> on_rtcp(uint32_t track, Bytes packet, Nanoseconds now);
  // Makes what came in visible to the readers.
  void commit(uint64_t input_position, Nanoseconds now);
  bool congested(Nanoseconds now) { return publication_->congested(now); }
  void on_second(Nanoseconds now);

  uint64_t lost() const;
  uint32_t jitter_us() const;                      // of the track that has most
  std::string statistics_text(size_t track) const; // for the log
  // Another payload type than the track's, that came along with it.
  std::optional<uint8_t> foreign_payload(size_t track) const;
  std::optional<uint32_t> ssrc(size_t track) const; // empty: it has had no packet

private:
  static constexpr Nanoseconds kReportInterval = 10 * kSecond;

  struct TrackInput {
    std::unique_ptr<rtp::TrackReceiver> receiver;
    std::optional<rtp::Continuation> continuation; // of what a former publisher sent to the readers that are there
    bool touched = false;                          // since the last commit
  };

  Publisher(Server &server, Listener &listener, media::StreamDescription description);

  void on_packet(Bytes rtp_packet, const rtp::PacketFacts &facts) override;
  void on_timer(loop::Timer &timer) override;
  void on_uncongested() override { listener_.on_uncongested(); }
  void on_absolute_time_changed() override;
  void continue_tracks();
  void watch_deadlines(Nanoseconds now);
  rtp::SenderState sender_state(size_t track) const; // what readers are to be told
  void send_reports(Nanoseconds now);
  void update_description();

  Server &server_;
  Listener &listener_;
  std::unique_ptr<worker::Publication> publication_;
  media::StreamDescription description_;
  bool has_video_ = false;
  bool recording_ = false;
  std::vector<TrackInput> tracks_;
  uint8_t current_track_ = 0; // during a call of a receiver
  loop::Timer deadline_timer_;
  Nanoseconds next_report_ns_ = 0;
  uint32_t own_ssrc_;
  uint64_t input_position_ = 0;
};

} // namespace sluice::rtsp
