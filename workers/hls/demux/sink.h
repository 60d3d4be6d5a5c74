// What a demuxer finds in a source's segments: tracks, and their access units. The listener is the one that pulls the
// source.
#pragma once

#include "common/base/bytes.h"
#include "common/media/stream_description.h"
#include "common/rtp/depacketizer.h"

#include <vector>

namespace sluice::hls {

struct FoundTrack {
  media::Track track;
  std::vector<ByteVector> configuration; // for rtp::Packetizer::set_configuration()

  bool operator==(const FoundTrack &) const = default;
};

class DemuxSink {
public:
  // So many tracks of codecs that we carry are there, numbered from 0; what was said before no longer counts. At most
  // media::kMaxTracks.
  virtual void on_tracks(size_t count) = 0;
  // A track's parameters are known, before its first access unit, or have changed: from the unit on that follows.
  virtual void on_track(size_t index, const FoundTrack &track) = 0;
  // In the order of decoding within each track. Times are those of the container, without the jumps that come from its
  // numbers being short.
  virtual void on_access_unit(size_t index, const rtp::AccessUnit &unit) = 0;

protected:
  ~DemuxSink() = default;
};

} // namespace sluice::hls
