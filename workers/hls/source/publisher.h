// Puts the access units of a source into the stream's ring as RTP packets. Owned by its Source.
#pragma once

#include "common/rtp/continuation.h"
#include "common/rtp/packetizer.h"
#include "workers/base/publication.h"
#include "workers/hls/pull/media_buffer.h"

#include <memory>
#include <optional>
#include <vector>

namespace sluice::hls {

// The description of what was found.
media::StreamDescription description_of(const std::vector<FoundTrack> &tracks);

class Publisher final : rtp::PacketSink, worker::Publication::Listener {
public:
  struct Listener {
    // The ring has room again for media that waited for a larger one.
    virtual void on_uncongested() = 0;

  protected:
    ~Listener() = default;
  };

  static Result<std::unique_ptr<Publisher>> create(worker::Server &server, Listener &listener,
                                                   const control::PublishGranted &granted, const std::vector<Fd> &rings,
                                                   const std::vector<FoundTrack> &tracks);
  ~Publisher();

  worker::Publication &publication() { return *publication_; }

  // `begin`: where the output's time line begins for this ring; it goes on from there.
  void set_begin(Nanoseconds begin) { shift_ = resume_time_ - begin; }
  // Errors: too large, or of a codec that can't be cut that finely.
  Result<void> push(size_t track, BufferedUnit unit, Nanoseconds now, Nanoseconds wall);
  // Makes what came in visible to the readers.
  void commit(Nanoseconds now);
  void on_second(Nanoseconds now);

private:
  static constexpr Nanoseconds kReportInterval = 10 * kSecond;

  struct Track {
    Track(const FoundTrack &found_track, rtp::Packetizer made) : found(found_track), packetizer(std::move(made)) {}

    FoundTrack found;
    rtp::Packetizer packetizer;
    std::optional<rtp::Continuation> continuation; // of what a former attempt sent to the readers that are there
    bool touched = false;                          // since the last commit
  };

  Publisher(worker::Server &server, Listener &listener) : server_(server), listener_(listener) {}

  Result<void> set_up(const std::vector<FoundTrack> &tracks, bool continues);
  void on_packet(Bytes rtp_packet, const rtp::PacketFacts &facts) override;
  void on_uncongested() override { listener_.on_uncongested(); }
  void on_absolute_time_changed() override {}
  void change(Track &track, FoundTrack found);
  rtp::SenderState sender_state(const Track &track) const;
  void announce();

  worker::Server &server_;
  Listener &listener_;
  std::unique_ptr<worker::Publication> publication_;
  std::vector<Track> tracks_;
  bool has_video_ = false;
  size_t current_ = 0; // track, during a push
  Nanoseconds resume_time_ = 0, shift_ = 0;
  Nanoseconds next_report_ns_ = 0;
  std::vector<Bytes> units_; // scratch
};

} // namespace sluice::hls
