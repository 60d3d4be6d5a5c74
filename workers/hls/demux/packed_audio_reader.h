// Demuxes segments of packed audio (RFC 8216 section 3.4), as audio renditions beside MPEG-TS have them: AAC with ADTS
// headers, MPEG audio or AC-3 behind an ID3 tag that says when the first frame is. Bytes come in any pieces. Pure;
// memory is bounded by kMaxId3Tag and kMaxAccessUnit.
//
//   tag = "ID3" version (16) flags (8) size (4 groups of 7 bits) frames; frame = id (32) size (32) flags (16) body
//   body of PRIV: "com.apple.streaming.transportStreamTimestamp" 0, time (64, of which 33, at 90 kHz)
#pragma once

#include "workers/hls/demux/elementary_stream.h"
#include "workers/hls/demux/timeline.h"

#include <optional>

namespace sluice::hls {

constexpr size_t kMaxId3Tag = 64 << 10; // a larger one is not looked at

// The time that a whole tag says; empty: it does not.
std::optional<uint64_t> parse_id3_timestamp(Bytes tag);

class PackedAudioReader {
public:
  void push(Bytes bytes, DemuxSink &sink);
  // What is not complete is dropped: each segment has whole frames.
  void end_segment();
  // What follows does not join what was pushed: its times begin anew.
  void begin_discontinuity();

  uint64_t dropped_units() const { return dropped_units_ + (stream_ ? stream_->dropped_units() : 0); }

private:
  bool take_tags();
  void push_frames(Bytes bytes, DemuxSink &sink);

  ByteVector begin_;                // of a segment, until its frames begin
  bool in_frames_ = false;          // they have begun
  uint64_t to_skip_ = 0;            // of a tag that is too large
  std::optional<Nanoseconds> time_; // of the next frame, where a tag has said it
  Timeline timeline_;
  media::Codec codec_ = media::Codec::Other;
  std::optional<ElementaryStream> stream_;
  uint64_t dropped_units_ = 0;
};

} // namespace sluice::hls
