// Takes the messages that a session publishes, or a source brings, and puts their frames into the stream's ring as RTP
// packets. Owned by its Session or Source.
#pragma once

#include "common/rtp/continuation.h"
#include "common/rtp/packetizer.h"
#include "workers/base/publication.h"
#include "workers/rtmp/protocol/media_message.h"
#include "workers/rtmp/protocol/timeline.h"
#include "workers/rtmp/protocol/track_finder.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::rtmp {

class Server;

// The description of what was found.
media::StreamDescription description_of(const std::vector<TrackFinder::Found> &tracks);

class Publisher final : rtp::PacketSink, worker::Publication::Listener {
public:
  struct Listener {
    // The ring has room again for input that waited for a larger one.
    virtual void on_uncongested() = 0;

  protected:
    ~Listener() = default;
  };

  static Result<std::unique_ptr<Publisher>> create(Server &server, Listener &listener,
                                                   const control::PublishGranted &granted, const std::vector<Fd> &rings,
                                                   std::vector<TrackFinder::Found> tracks);
  ~Publisher();

  worker::Publication &publication() { return *publication_; }
  control::StreamId stream() const { return publication_->stream(); }
  // When it goes the ring stays as it is, for whoever continues it.
  void leave_ring_open() { publication_->leave_ring_open(); }

  // Audio, video or data. A message that would fill more than half of the ring is held back until there is a larger
  // one, and what follows it; more should not come as long as holds(). Error: what it holds, or one that was held back,
  // is malformed or of another codec than before.
  Result<void> on_media(const MediaMessage &message, Nanoseconds now, Nanoseconds wall);
  // Makes what came in visible to the readers.
  void commit(uint64_t input_position, Nanoseconds now);
  bool holds() const { return !held_.empty(); }
  bool congested(Nanoseconds now) { return holds() || publication_->congested(now); }
  void on_second(Nanoseconds now);

private:
  static constexpr Nanoseconds kReportInterval = 10 * kSecond;

  struct Track {
    Track(TrackFinder::Found found, rtp::Packetizer made)
        : facts(std::move(found.facts)), kind(found.kind), track_id(found.track_id), packetizer(std::move(made)) {}

    TrackFacts facts;
    media::MediaKind kind;
    uint8_t track_id;
    rtp::Packetizer packetizer;
    std::optional<rtp::Continuation> continuation; // of what a former publisher sent to the readers that are there
    bool touched = false;                          // since the last commit
  };

  struct Held {
    HeldMessage message;
    Nanoseconds now, wall; // when it came in
  };

  Publisher(Server &server, Listener &listener) : server_(server), listener_(listener) {}

  Result<void> set_up(std::vector<TrackFinder::Found> tracks, bool continues);
  void on_packet(Bytes rtp_packet, const rtp::PacketFacts &facts) override;
  void on_uncongested() override;
  void on_absolute_time_changed() override {} // RTMP knows no absolute time
  Result<void> publish(const MediaMessage &message, Nanoseconds now, Nanoseconds wall);
  Track *find(const MediaTag &tag);
  Result<void> on_tag(const MediaTag &tag, Nanoseconds ring_time, Nanoseconds now, Nanoseconds wall);
  Result<void> on_configuration(Track &track, const MediaTag &tag);
  Result<void> on_frame(Track &track, const MediaTag &tag, Nanoseconds ring_time, Nanoseconds now, Nanoseconds wall);
  rtp::SenderState sender_state(const Track &track) const;
  void announce();

  Server &server_;
  Listener &listener_;
  std::unique_ptr<worker::Publication> publication_;
  std::optional<Timeline> timeline_;
  std::vector<Track> tracks_;
  bool has_video_ = false;
  size_t current_ = 0; // track, during a push
  bool foreign_noted_ = false;
  Nanoseconds next_report_ns_ = 0;
  std::deque<Held> held_;
  std::string failure_;        // of what was held
  std::vector<MediaTag> tags_; // scratch
  std::vector<Bytes> units_;
};

} // namespace sluice::rtmp
