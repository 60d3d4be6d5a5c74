// Puts what one session publishes into its stream's ring, and wakes the readers. Holds back audio for as long as
// writeCoalesce allows, so that it leaves with the next picture. Owned by its Session.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "common/rtp/continuation.h"
#include "common/rtp/track_receiver.h"
#include "ipc/control/messages.h"
#include "ipc/ring/ring_writer.h"
#include "ipc/shm/mapping.h"

#include <memory>
#include <optional>
#include <vector>

namespace sluice::rtsp {

class Server;

class Publisher final : public rtp::TrackReceiver::Sink, public loop::Timer::Listener {
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

  control::StreamId stream() const { return granted_.stream; }
  size_t track_count() const { return tracks_.size(); }

  void start(bool over_udp); // RECORD
  void stop();               // PAUSE, or the end
  bool recording() const { return recording_; }
  // When it goes the ring stays as it is, for whoever continues it.
  void leave_ring_open() { ends_ring_ = false; }

  // Error: malformed; ends the connection over TCP, is ignored over UDP.
  Result<void> on_rtp(uint32_t track, Bytes packet, Nanoseconds now, Nanoseconds wall);
  Result<void> on_rtcp(uint32_t track, Bytes packet, Nanoseconds now);
  // Makes what came in visible to the readers.
  void commit(uint64_t input_position, Nanoseconds now);
  // More input should wait: the ring is about to overwrite what readers had no time to read.
  bool congested(Nanoseconds now);
  void on_second(Nanoseconds now);
  void replace_ring(int fd);
  void keep_ring(); // no larger one is to be had for now
  void change_settings(const control::StreamSettings &settings);

  uint64_t lost() const;
  std::string statistics_text(size_t track) const; // for the log
  // Another payload type than the track's, that came along with it.
  std::optional<uint8_t> foreign_payload(size_t track) const;
  std::optional<uint32_t> ssrc(size_t track) const; // empty: it has had no packet

private:
  static constexpr Nanoseconds kReportInterval = 10 * kSecond;
  static constexpr Nanoseconds kGrowthPatience = kSecond;   // for an answer to RingTooSmall
  static constexpr Nanoseconds kGrowthPause = 10 * kSecond; // after a refusal
  static constexpr Nanoseconds kYoung = 250 * kMillisecond;
  static constexpr size_t kMaxInputBytes = 256 * 1024; // of one turn

  struct TrackInput {
    std::unique_ptr<rtp::TrackReceiver> receiver;
    std::optional<rtp::Continuation> continuation; // of what a former publisher sent to the readers that are there
    bool touched = false;                          // since the last commit
  };

  Publisher(Server &server, Listener &listener, control::PublishGranted granted, shm::Mapping mapping,
            ring::RingWriter writer, media::StreamDescription description);

  void on_packet(Bytes rtp_packet, const rtp::PacketFacts &facts) override;
  void on_timer(loop::Timer &timer) override;
  void continue_tracks();
  void append(ring::EntryMeta meta, Bytes packet, Bytes rest = {});
  void wake_readers();
  void watch_deadlines(Nanoseconds now);
  void ask_for_room(Nanoseconds now);
  rtp::SenderState sender_state(size_t track) const; // what readers are to be told
  void send_reports(Nanoseconds now);
  void update_description();

  Server &server_;
  Listener &listener_;
  control::PublishGranted granted_;
  shm::Mapping mapping_;
  ring::RingWriter writer_;
  media::StreamDescription description_;
  bool has_video_ = false;
  bool recording_ = false;
  bool ends_ring_ = true;
  std::vector<TrackInput> tracks_;
  uint8_t current_track_ = 0; // during a call of a receiver
  bool flush_staged_ = false;
  bool news_ = false; // committed, and the readers not woken yet
  loop::Timer hold_timer_, deadline_timer_, growth_timer_;
  Nanoseconds asked_for_room_ns_ = 0; // 0: no request is outstanding
  Nanoseconds ask_again_ns_ = 0;      // not before, after a refusal
  Nanoseconds next_report_ns_ = 0, last_arrival_ns_ = 0;
  uint32_t own_ssrc_;
  uint64_t input_position_ = 0;
};

} // namespace sluice::rtsp
