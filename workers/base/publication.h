// The ring's side of what a session or a source publishes: appends packets, makes them visible, wakes the readers, and
// asks for a larger ring when there is need. Holds back audio for as long as writeCoalesce allows, so that it leaves
// with the next picture. Owned by the protocol's publisher.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "ipc/control/messages.h"
#include "ipc/ring/ring_writer.h"
#include "ipc/shm/mapping.h"

#include <memory>
#include <optional>
#include <vector>

namespace sluice::worker {

class Server;

class Publication final : loop::Timer::Listener {
public:
  struct Listener {
    // The ring has room again for input that waited for a larger one.
    virtual void on_uncongested() = 0;
    virtual void on_absolute_time_changed() = 0;

  protected:
    ~Listener() = default;
  };

  // Error: the rings can't be used.
  static Result<std::unique_ptr<Publication>>
  create(Server &server, Listener &listener, const control::PublishGranted &granted, const std::vector<Fd> &rings);
  ~Publication() override; // ends the ring, unless it is left open

  control::StreamId stream() const { return granted_.stream; }
  bool continues() const { return granted_.continues; } // the readers of a former publisher are there
  bool absolute_time() const { return granted_.absolute_time; }
  // When it goes the ring stays as it is, for whoever continues it.
  void leave_ring_open() { ends_ring_ = false; }

  // The ring's time goes on, also after a pause and where another publisher left it: what a first packet's PTS is
  // to be. Readers that begin later do so behind it.
  Nanoseconds resume_time();
  const ring::RingWriter &writer() const { return writer_; }

  // Arrival times never go back, whatever they are said to be: tracks are reordered apart. kFlush of `meta`: this
  // completes what readers should have at once.
  void append(ring::EntryMeta meta, Bytes packet, Bytes rest = {});
  void set_track_state(size_t track, const ring::TrackState &state) { writer_.set_track_state(track, state); }
  // Makes what was appended visible; `input_position` is where the input that it came from ends.
  void commit(uint64_t input_position, Nanoseconds now);
  void commit(Nanoseconds now) { commit(input_position_, now); }
  uint64_t input_position() const { return input_position_; } // of the last commit
  void wake_readers();                                        // of what was committed

  // In the ring's header; `announce`: to the supervisor as well, which need not hear of each of many.
  void set_description(const media::StreamDescription &description, bool announce);

  // More input should wait: the ring is about to overwrite what readers had no time to read.
  bool congested(Nanoseconds now);
  // Whether so much can be appended without readers losing its front, which half a ring is for. False: a larger ring
  // was asked for, and on_uncongested() follows; then to be asked again. True also where no larger one is to be had.
  bool has_room_for(uint64_t bytes, Nanoseconds now);
  void replace_ring(int fd);
  void keep_ring(); // no larger one is to be had for now
  void change_settings(const control::StreamSettings &settings);

private:
  static constexpr Nanoseconds kGrowthPatience = kSecond; // for an answer to RingTooSmall
  static constexpr Nanoseconds kGrowthPoll = 5 * kMillisecond;
  static constexpr Nanoseconds kGrowthPause = 10 * kSecond; // after a refusal
  static constexpr Nanoseconds kAnnouncementPause = 100 * kMillisecond;
  static constexpr Nanoseconds kYoung = 250 * kMillisecond;
  static constexpr size_t kMaxInputBytes = 256 * 1024; // of one turn

  Publication(Server &server, Listener &listener, control::PublishGranted granted, shm::Mapping mapping,
              ring::RingWriter writer);

  void on_timer(loop::Timer &timer) override;
  void ask_for_room(Nanoseconds now);
  void ask_for_ring(uint64_t wanted_bytes, Nanoseconds now);
  bool asks_for_ring(Nanoseconds now) const; // and the answer may still come
  void announce_description();

  Server &server_;
  Listener &listener_;
  control::PublishGranted granted_;
  shm::Mapping mapping_;
  ring::RingWriter writer_;
  bool ends_ring_ = true;
  bool flush_staged_ = false;
  bool news_ = false; // committed, and the readers not woken yet
  loop::Timer hold_timer_, growth_timer_, announcement_timer_;
  std::optional<media::StreamDescription> unannounced_; // goes when the timer ends
  Nanoseconds asked_for_room_ns_ = 0;                   // 0: no request is outstanding
  Nanoseconds ask_again_ns_ = 0;                        // not before, after a refusal
  uint64_t awaited_bytes_ = 0;                          // of a picture that waits for a larger ring
  Nanoseconds last_arrival_ns_ = 0;
  uint64_t input_position_ = 0;
};

} // namespace sluice::worker
