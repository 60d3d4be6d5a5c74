// Access units from the payloads of one elementary stream's PES packets (ISO/IEC 13818-1): H.264 and H.265 with start
// codes, a picture in each packet; AAC with ADTS headers, MPEG audio and AC-3, whose frames may go on in the next one;
// Opus with its control headers. Learns the track's parameters on the way. Pure; memory is bounded by kMaxAccessUnit.
#pragma once

#include "workers/hls/demux/nal_collector.h"

#include <optional>

namespace sluice::hls {

struct PesTimes {
  std::optional<Nanoseconds> pts_ns; // empty: what goes on from the packet before
  Nanoseconds dts_ns = 0;
  bool random_access = false; // the container says so
};

class ElementaryStream {
public:
  // `channels`: what the container says about Opus, 0: nothing.
  ElementaryStream(media::Codec codec, size_t index, uint8_t channels)
      : codec_(codec), index_(index), channels_(channels), nal_units_(codec) {}

  // What one PES packet holds.
  void push(Bytes payload, const PesTimes &times, DemuxSink &sink);
  // Something before what comes next is missing.
  void on_loss();
  // What comes next does not join what came, and nothing is missing.
  void reset() { rest_.clear(); }

  bool is_video() const { return codec_ == media::Codec::H264 || codec_ == media::Codec::H265; }
  uint64_t dropped_units() const { return dropped_units_; } // that were malformed, or came before the parameters

private:
  struct Frame {
    size_t size = 0;   // in the stream
    size_t header = 0; // that is left out of the unit
    Nanoseconds duration = 0;
    FoundTrack track;
  };

  void push_video(Bytes payload, const PesTimes &times, DemuxSink &sink);
  void push_frames(Bytes payload, const PesTimes &times, DemuxSink &sink);
  void push_opus(Bytes payload, const PesTimes &times, DemuxSink &sink);
  std::optional<Frame> look(Bytes bytes);
  void describe(FoundTrack track, DemuxSink &sink);
  void emit(std::span<const Bytes> units, const PesTimes &times, DemuxSink &sink);

  media::Codec codec_;
  size_t index_;
  uint8_t channels_;
  std::optional<FoundTrack> track_; // as it was told
  NalCollector nal_units_;
  ByteVector rest_;          // of a frame that goes on
  Nanoseconds next_pts_ = 0; // of audio
  bool has_next_pts_ = false;
  bool loss_ = false;
  uint64_t dropped_units_ = 0;
};

} // namespace sluice::hls
