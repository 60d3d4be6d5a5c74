// Demuxes the fragmented MP4 files of a source (ISO/IEC 14496-12; CMAF): an initialisation section, then segments or
// parts of them. H.264, H.265, AV1, VP9, AAC, MPEG audio, AC-3, Opus; other tracks are left alone. Bytes come in any
// pieces; a fragment's access units are given when its data are complete, those of all its tracks in the order of
// decoding. Pure; holds at most kMaxFragment bytes.
#pragma once

#include "workers/hls/demux/mp4_boxes.h"
#include "workers/hls/demux/mp4_fragment.h"
#include "workers/hls/demux/nal_collector.h"

#include <optional>
#include <vector>

namespace sluice::hls {

constexpr size_t kMaxFragment = 64 << 20; // moof, mdat and what is between them
constexpr size_t kMaxMovie = 4 << 20;     // moov; also of a moof

class Mp4Reader {
public:
  // Errors: malformed, a limit, a fragment before the initialisation section. The rest of that file is then of no use.
  Result<void> push(Bytes bytes, DemuxSink &sink);
  // A file ends here: initialisation section, segment or part. What is not complete is dropped. `offset`: of what comes
  // next in its resource, where that is a byte range.
  void end_file(DemuxSink &sink, uint64_t next_offset = 0);
  // What follows does not join what was pushed: its times begin anew.
  void begin_discontinuity();

  uint64_t dropped_units() const { return dropped_units_; }

private:
  struct TrackState {
    std::optional<NalCollector> nal_units; // of H264 and H265
    std::optional<uint32_t> entry;         // that counts now
    std::optional<FoundTrack> told;
    bool loss = false;
  };

  // Each returns false when more bytes are needed.
  Result<bool> take_box(DemuxSink &sink);
  Result<bool> take_movie(const BoxHeader &header, DemuxSink &sink);
  Result<bool> take_fragment(const BoxHeader &header);
  Result<bool> take_data(const BoxHeader &header, DemuxSink &sink);
  Result<bool> skip(const BoxHeader &header);
  void discard();

  void emit_until(uint64_t end, DemuxSink &sink);
  void emit(const MovieSample &sample, DemuxSink &sink);
  bool split(const MovieSample &sample, const SampleEntry &entry, Bytes data, bool &random_access, DemuxSink &sink);
  bool split_nal_units(const SampleEntry &entry, NalCollector &collector, Bytes data);
  bool split_obus(size_t track, Bytes data, bool &random_access, DemuxSink &sink);
  void use_entry(const MovieSample &sample, DemuxSink &sink);
  void tell(size_t track, FoundTrack found, DemuxSink &sink);

  ByteVector buffer_;
  uint64_t buffer_offset_ = 0; // of its first byte in the file
  size_t scanned_ = 0;         // so much of the buffer was looked at
  uint64_t to_skip_ = 0;       // bytes behind the buffer
  bool skips_rest_ = false;    // of the file
  ByteVector movie_bytes_;     // as they came last
  std::vector<MovieTrack> tracks_;
  std::vector<TrackState> states_;
  DecodeTimes times_;
  std::vector<MovieSample> pending_; // whose data have not come, or not all of them
  std::vector<Bytes> units_;
  uint64_t dropped_units_ = 0;
};

} // namespace sluice::hls
