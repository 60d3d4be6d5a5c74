// The tracks of a source, of all its renditions, and their access units on the output's time line until they are due.
// Tracks are settled once: when all that the containers announce are known, or a whole segment has come. Audio that has
// a rendition of its own is not taken from the variant. Owned by the source. Pure.
#pragma once

#include "common/base/result.h"
#include "workers/hls/demux/sink.h"
#include "workers/hls/pull/output_timeline.h"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace sluice::hls {

struct BufferedUnit {
  std::unique_ptr<FoundTrack> change; // from this unit on
  ByteVector data;                    // its units one after the other
  std::vector<size_t> sizes;          // of each
  Nanoseconds pts_ns = 0, dts_ns = 0; // on the output's time line
  bool random_access = false;
};

class MediaBuffer {
public:
  static constexpr size_t kMaxBytes = 32 << 20; // then nothing more should come

  explicit MediaBuffer(size_t renditions);
  ~MediaBuffer();

  // Where a rendition's demuxer tells what it finds.
  DemuxSink &sink(size_t rendition);
  // What its sink gets from here on belongs there.
  void set_discontinuity(size_t rendition, uint64_t sequence);
  // A whole segment has come. Error: it had no tracks that we carry.
  Result<void> on_segment_end(size_t rendition);
  // What the sinks were told and can't be carried on with.
  Result<void> check() const { return error_ ? Result<void>(*error_) : Result<void>(); }

  // The tracks are known, if need be those that are by now; from then on they stay.
  bool settle(bool at_once = false);
  // Video first. Once they are settled, what they were then; numbers of tracks are places here.
  const std::vector<FoundTrack> &tracks() const { return settled_; }

  bool full() const { return bytes_ >= kMaxBytes; }
  bool empty() const { return bytes_ == 0; }
  Nanoseconds buffered(size_t rendition) const; // of its track that has the least, of those that have any

  // To be called once, when they are settled: units of other tracks that come long before the video are left out.
  void begin_together();
  // The track whose unit is the next; empty: there is none.
  std::optional<size_t> next() const;
  const BufferedUnit &front(size_t track) const { return tracks_[order_[track]].units.front(); }
  BufferedUnit take(size_t track);

private:
  class Input;
  static constexpr size_t kUnitOverhead = 128; // bytes, about

  struct Track {
    size_t rendition = 0, line = 0; // `line`: of the timeline
    FoundTrack found;
    bool known = false;
    std::unique_ptr<FoundTrack> change; // for the next unit
    std::deque<BufferedUnit> units;
  };
  struct Rendition {
    std::unique_ptr<Input> input;
    std::vector<std::optional<size_t>> places; // of the demuxer's tracks among all
    uint64_t discontinuity = 0;
    bool announced = false, segment_ended = false;
  };

  void on_tracks(size_t rendition, size_t count);
  void on_track(size_t rendition, size_t index, const FoundTrack &found);
  void on_access_unit(size_t rendition, size_t index, const rtp::AccessUnit &unit);
  void forget(size_t rendition);
  bool is_replaced(const Track &track) const;
  bool is_known(const Rendition &rendition) const;
  void drop(Track &track);
  void drop_front(Track &track);
  static size_t cost(const BufferedUnit &unit) { return unit.data.size() + kUnitOverhead; }

  std::vector<Rendition> renditions_;
  std::vector<Track> tracks_;
  std::vector<size_t> order_; // of the settled ones: places in tracks_
  std::vector<FoundTrack> settled_;
  bool is_settled_ = false;
  OutputTimeline timeline_;
  size_t bytes_ = 0;
  std::optional<Error> error_;
};

} // namespace sluice::hls
