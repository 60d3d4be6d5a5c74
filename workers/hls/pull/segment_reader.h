// Takes apart what a rendition's segments and parts hold, decrypted where they are encrypted, by the format that each
// segment turns out to have: MPEG-TS, MP4 or packed audio. Owned by the rendition. Pure; memory is that of the demuxer.
#pragma once

#include "workers/hls/demux/aes128.h"
#include "workers/hls/demux/mp4_reader.h"
#include "workers/hls/demux/mpegts_reader.h"
#include "workers/hls/demux/packed_audio_reader.h"
#include "workers/hls/pull/follower.h"

#include <optional>

namespace sluice::hls {

class SegmentReader {
public:
  // What `fetch`, a Map or Media, brings comes next. What was held back of the segment before it is given first.
  Result<void> begin(const Fetch &fetch, DemuxSink &sink);
  // Bytes of it, in any pieces. Errors: malformed, or of no known format.
  Result<void> push(Bytes bytes, DemuxSink &sink);
  // It is complete. Error: it can't have been.
  Result<void> finish(DemuxSink &sink);

private:
  enum class Format : uint8_t { Unknown, MpegTs, Mp4, PackedAudio };
  static constexpr size_t kTellingBytes = 8;

  static Format format_of(Bytes begin);
  Result<void> take(Bytes bytes, DemuxSink &sink);
  Result<void> demux(Bytes bytes, DemuxSink &sink);
  void end_segment(DemuxSink &sink);
  void end_file(DemuxSink &sink, uint64_t next_offset);

  Format format_ = Format::Unknown; // of the segment
  ByteVector begin_;                // of the segment, until the format is known
  std::optional<uint64_t> discontinuity_;
  bool segment_open_ = false;
  bool is_map_ = false;
  bool ends_segment_ = true;
  std::optional<Aes128Decryptor> decryptor_;
  ByteVector plain_;
  std::optional<MpegTsReader> mpegts_;
  std::optional<Mp4Reader> mp4_;
  std::optional<PackedAudioReader> packed_audio_;
};

} // namespace sluice::hls
