// What every demuxer promises its listener.
#pragma once

#include "common/base/check.h"
#include "workers/hls/demux/sink.h"

#include <set>

namespace sluice {

class DemuxListener final : public hls::DemuxSink {
public:
  void on_tracks(size_t count) override {
    CHECK(count <= media::kMaxTracks);
    count_ = count;
    told_.clear();
  }
  void on_track(size_t index, const hls::FoundTrack &found) override {
    CHECK(index < count_);
    CHECK(media::is_valid(media::StreamDescription{{found.track}}));
    told_.insert(index);
  }
  void on_access_unit(size_t index, const rtp::AccessUnit &unit) override {
    CHECK(told_.contains(index));
    CHECK(!unit.units.empty() && unit.units.size() <= rtp::kMaxUnitsOfAccessUnit);
    size_t bytes = 0;
    for (Bytes part : unit.units) {
      CHECK(!part.empty());
      bytes += part.size();
      sum_ += part.front() + part.back(); // reads both ends
    }
    CHECK(bytes <= rtp::kMaxAccessUnit);
  }

private:
  size_t count_ = 0;
  std::set<size_t> told_;
  uint64_t sum_ = 0;
};

} // namespace sluice
