// What a demuxer told, for the tests of both.
#pragma once

#include "common/base/base64.h"
#include "common/media/parameters.h"
#include "workers/hls/demux/sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::hls {

struct RecordedUnit {
  size_t track = 0;
  std::vector<ByteVector> units;
  Nanoseconds pts_ns = 0, dts_ns = 0;
  bool random_access = false, after_loss = false;

  bool operator==(const RecordedUnit &) const = default;
};

struct DemuxRecord final : DemuxSink {
  void on_tracks(size_t count) override { events.push_back(fmt::format("tracks {}", count)); }
  void on_track(size_t index, const FoundTrack &found) override {
    events.push_back(fmt::format("track {} {}", index, found.track.encoding));
    tracks.resize(std::max(tracks.size(), index + 1));
    tracks[index] = found;
  }
  void on_access_unit(size_t index, const rtp::AccessUnit &unit) override {
    RecordedUnit recorded{index, {}, unit.pts_ns, unit.dts_ns, unit.random_access, unit.after_loss};
    for (Bytes part : unit.units) recorded.units.emplace_back(part.begin(), part.end());
    units.push_back(std::move(recorded));
  }

  std::vector<RecordedUnit> of(size_t track) const {
    std::vector<RecordedUnit> found;
    for (const RecordedUnit &unit : units) {
      if (unit.track == track) found.push_back(unit);
    }
    return found;
  }

  std::vector<std::string> events; // but for access units
  std::vector<FoundTrack> tracks;  // as they were told last
  std::vector<RecordedUnit> units;
};

inline ByteVector operator+(ByteVector a, const ByteVector &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// 320x240
inline media::ParameterSets h264_sets() {
  return {{}, base64_decode("Z2QADazZQUH7ARAAAAMAEAAAAwMg8UKZYA==").value(), base64_decode("aOvjyyLA").value()};
}

} // namespace sluice::hls
