// Makes segments and parts of the access units of a stream: MPEG-TS or fragmented MP4. Sans-I/O; owned by the muxer of
// a stream. What comes out is a function of the access units and the state it began with, no more: a successor that
// begins with the state that a part was told with, and gets the access units from that state's `source` on, makes the
// same bytes.
//
// The first video track leads, or the first audio track where there is no video. Segments begin with its random access
// units: when the segment has its duration, or when parameters have changed. Whatever comes before the first of them is
// dropped. A unit waits for the next one of its track, which tells its duration. Time that goes back or jumps ends a
// segment; the next one is marked as a discontinuity. Memory is bounded by the segment's maximum size.
#pragma once

#include "common/media/parameters.h"
#include "common/media/stream_description.h"
#include "common/rtp/depacketizer.h"
#include "workers/hls/mux/mp4_writer.h"
#include "workers/hls/mux/mpegts_writer.h"
#include "workers/hls/mux/part_cutter.h"
#include "workers/hls/mux/sample.h"
#include "workers/hls/mux/track_format.h"
#include "workers/hls/presentation.h"

#include <array>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace sluice::hls {

struct SegmenterSettings {
  Variant variant = Variant::MpegTs;
  Nanoseconds segment_duration = kSecond; // at least
  Nanoseconds part_duration = 0;          // wanted; 0: one part a segment
  uint64_t max_segment_bytes = uint64_t{50} << 20;
};

struct SegmenterTrack {
  media::Track track;
  media::ParameterSets sets; // as far as known
};

// At the end of a part or segment: what a successor begins with. Plain data. What its predecessor told after that, a
// segment that had begun and its initialisation section, it tells again.
struct SegmenterState {
  struct Unit { // of a track, among those with the same tag the number before it
    uint64_t source = 0;
    uint32_t before = 0;
    auto operator<=>(const Unit &) const = default;
  };
  struct Track {
    Unit next;                       // the first that no part has yet
    std::optional<int64_t> last_dts; // of those that parts have
    int64_t last_duration = 0;
    bool included = false; // in the last initialisation section
    uint64_t format = 0;   // a digest of what that says about it
  };

  uint64_t source = 0; // where to go on: the smallest tag of what no part has yet
  uint64_t next_segment = 0, next_part = 0, initialisations = 0;
  uint32_t next_sequence = 1; // of mfhd
  bool started = false;       // an access unit that leads may go on; else a random access unit has to come first
  bool discontinuity = false; // before the next segment
  bool in_segment = false;    // it has parts and more may come
  uint64_t first_part = 0;    // of the segment, as what follows
  Nanoseconds start_wall = 0;
  Nanoseconds segment_duration = 0;
  uint64_t segment_bytes = 0, segment_samples = 0;
  bool segment_discontinuity = false;
  int64_t segment_start_dts = 0;
  double measured_rate = 0;
  PartCutter cutter; // where started
  MpegTsWriter::State mpegts;
  std::array<Track, media::kMaxTracks> tracks;
};

static_assert(std::is_trivially_copyable_v<SegmenterState>); // it stands in shared memory

struct FinishedPart {
  uint64_t number = 0;
  uint64_t segment = 0;
  Part part;
  Nanoseconds part_target = 0;   // that it obeys; a playlist's is the greatest of its parts'. 0: parts are not wanted
  std::span<const Bytes> pieces; // its bytes; valid during the call
};

class Segmenter {
public:
  // Is called during push(), discontinue() and flush(), and may call facts() alone. `parts` of segments stay empty.
  class Sink {
  public:
    // MP4 only; before the first segment that needs it.
    virtual void on_initialisation(uint64_t number, Bytes section) = 0;
    virtual void on_segment_begin(const Segment &segment) = 0;
    // All parts of a segment, one after the other, are its bytes.
    virtual void on_part(const FinishedPart &part, const SegmenterState &state) = 0;
    virtual void on_segment_end(const Segment &segment, const SegmenterState &state) = 0;

  protected:
    ~Sink() = default;
  };

  // What playlists say about the stream; of the newest segment.
  struct Facts {
    std::string codecs;
    bool has_video = false;
    uint32_t width = 0, height = 0;
    double frame_rate = 0;       // stated, or as measured over a segment
    Nanoseconds part_target = 0; // of the last part; before that, what is wanted
  };

  Segmenter(Segmenter &&) = default;
  Segmenter &operator=(Segmenter &&) = default;

  // Errors: no track, too many, two of video, a codec that the variant can't have. `state`: of a predecessor with the
  // same settings and tracks; an Error where it can't be that.
  static Result<Segmenter> create(const SegmenterSettings &settings, std::vector<SegmenterTrack> tracks,
                                  const SegmenterState *state = nullptr);

  // From the next access unit on. Sets that are not understood are not taken.
  void set_parameters(size_t track, const media::ParameterSets &sets);
  // As the description says it now; the codec stays.
  void set_description(size_t track, const media::Track &description);
  // The wall clock minus the stream's time, for segments that begin from now on.
  void set_wall_offset(Nanoseconds offset) { wall_offset_ = offset; }

  // `source`: where it comes from, for a successor; never smaller than before. Errors end it: the segment is larger
  // than it may be.
  Result<void> push(size_t track, const rtp::AccessUnit &unit, uint64_t source, Sink &sink);
  // What follows does not join what was pushed.
  void discontinue(Sink &sink);
  // The stream has ended: finishes what there is.
  void flush(Sink &sink) { discontinue(sink); }

  Facts facts() const;

private:
  struct Track {
    media::Track description;
    media::ParameterSets sets;
    std::optional<TrackFormat> format;      // the newest
    TrackFormat active;                     // of the segment, if it is included
    bool included = false;                  // in the segment
    size_t place = 0;                       // among those that are
    uint64_t digest = 0, active_digest = 0; // of `format` and `active`
    uint32_t frame_key = 0;                 // of a frame that tells the format; 0: none did
    uint32_t timescale = kVideoTimescale;
    SegmenterState::Unit current;             // the last one that was pushed
    bool seen = false;                        // any was
    std::optional<SegmenterState::Unit> from; // a successor's first; what is before was muxed

    bool changed() const { return included && format && digest != active_digest; }

    std::vector<Sample> samples;   // of the part; MPEG-TS: of a PES packet
    ByteVector data;               // theirs, then that of the pending one
    size_t bytes = 0;              // theirs
    std::optional<Sample> pending; // its duration is not known yet
    SegmenterState::Unit pending_unit;
    std::optional<int64_t> last_dts; // of the last one with a duration
    int64_t last_duration = 0;
  };

  Segmenter(const SegmenterSettings &settings, std::vector<SegmenterTrack> tracks);
  Result<void> check() const;

  bool is_mpegts() const { return settings_.variant == Variant::MpegTs; }
  Nanoseconds leading_time(const rtp::AccessUnit &unit) const { return has_video_ ? unit.dts_ns : unit.pts_ns; }
  Track &leading() { return tracks_[leading_]; }
  bool can_restore(const SegmenterState &state) const;
  void restore(const SegmenterState &state);
  SegmenterState snapshot() const;
  void place_source(Track &track, uint64_t source);
  static bool was_muxed(Track &track);

  void take_format(Track &track, Result<TrackFormat> format);
  static void use_format(Track &track);
  void learn_format(Track &track, const rtp::AccessUnit &unit);
  bool formats_have_changed() const;
  bool may_start(Nanoseconds dts_ns);
  void place_tracks();

  Result<void> push_leading(const rtp::AccessUnit &unit, Sink &sink);
  Result<void> push_following(Track &track, const rtp::AccessUnit &unit);
  Result<void> start(const rtp::AccessUnit &unit, Sink &sink);
  bool segment_is_due(int64_t dts) const;
  std::optional<int64_t> next_dts(const Track &track, Nanoseconds dts_ns) const;
  Result<void> store(Track &track, const rtp::AccessUnit &unit, int64_t dts);
  Result<void> take(std::span<const Bytes> units);
  int64_t usual_duration(const Track &track) const;
  void resolve_leading(int64_t duration, Sink &sink);
  void resolve_late();
  void add_sample(Track &track, int64_t duration);
  void add_audio_to_packet(Track &track, const Sample &sample);
  void write_audio(Track &track);
  void drop_samples(Track &track);

  int64_t begin_segment(const rtp::AccessUnit &unit, Sink &sink);
  void activate_formats(Sink &sink);
  void gather_mpegts();
  void gather_mp4();
  void finish_part(Sink &sink);
  void finish_segment(Sink &sink);
  void end_time(Sink &sink);

  SegmenterSettings settings_;
  std::vector<Track> tracks_;
  size_t leading_ = 0;
  bool has_video_ = false;
  Nanoseconds wall_offset_ = 0;
  bool failed_ = false;

  std::optional<Nanoseconds> waiting_since_; // for formats that frames tell
  std::optional<Nanoseconds> leading_dts_ns_;
  const Track *pushing_ = nullptr; // its newest unit is not stored yet
  uint64_t last_source_ = 0;

  Segment segment_; // while in_segment_; else its number is the next one's
  uint64_t next_part_ = 0, initialisations_ = 0;
  uint32_t next_sequence_ = 1;
  bool started_ = false, discontinuity_ = false, in_segment_ = false;
  int64_t segment_start_dts_ = 0;
  uint64_t segment_samples_ = 0; // of the leading track
  uint64_t taken_bytes_ = 0;     // since the last part
  bool part_independent_ = false;
  double measured_rate_ = 0;
  Nanoseconds part_target_ = 0;
  PartCutter cutter_;
  MpegTsWriter mpegts_;

  std::vector<Track *> placed_;      // those that are in the segment; the leading one is the first
  ByteVector head_, initialisation_; // scratch, as what follows
  std::vector<const TrackFormat *> formats_;
  std::vector<TrackRun> runs_;
  std::vector<Bytes> pieces_;
};

} // namespace sluice::hls
