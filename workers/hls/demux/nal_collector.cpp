#include "workers/hls/demux/nal_collector.h"

#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/nal_unit.h"
#include "workers/hls/demux/tracks.h"

#include <algorithm>

namespace sluice::hls {

using media::Codec;
using media::H264Nal;
using media::H265Nal;

void NalCollector::begin() {
  units_.clear();
  random_access_ = false;
}

unsigned NalCollector::type_of(Bytes unit) const {
  return codec_ == Codec::H264 ? static_cast<unsigned>(media::h264_nal_type(unit[0]))
                               : static_cast<unsigned>(media::h265_nal_type(unit[0]));
}

bool NalCollector::add(Bytes unit) {
  if (unit.empty()) return true;
  if (codec_ == Codec::H264) {
    H264Nal type = media::h264_nal_type(unit[0]);
    if (type == H264Nal::Delimiter) return true;
    if (type == H264Nal::Sps) learn(sets_.sps, unit);
    if (type == H264Nal::Pps) learn(sets_.pps, unit);
    random_access_ = random_access_ || type == H264Nal::Idr || type == H264Nal::Sps;
  } else {
    H265Nal type = media::h265_nal_type(unit[0]);
    if (type == H265Nal::Delimiter) return true;
    if (type == H265Nal::Vps) learn(sets_.vps, unit);
    if (type == H265Nal::Sps) learn(sets_.sps, unit);
    if (type == H265Nal::Pps) learn(sets_.pps, unit);
    random_access_ = random_access_ || media::is_h265_irap(type) || type == H265Nal::Sps || type == H265Nal::Vps;
  }
  if (units_.size() == rtp::kMaxUnitsOfAccessUnit) return false;
  units_.push_back(unit);
  return true;
}

// Of several sets of a kind in an access unit the first counts.
void NalCollector::learn(ByteVector &stored, Bytes unit) {
  if (unit.size() > media::kMaxParameterSet || std::equal(unit.begin(), unit.end(), stored.begin(), stored.end()))
    return;
  if (std::any_of(units_.begin(), units_.end(), [&](Bytes earlier) { return type_of(earlier) == type_of(unit); }))
    return;
  stored.assign(unit.begin(), unit.end());
  changed_ = true;
}

std::optional<FoundTrack> NalCollector::take_change() {
  bool complete = !sets_.sps.empty() && !sets_.pps.empty() && (codec_ == Codec::H264 || !sets_.vps.empty());
  if (!changed_ || !complete) return std::nullopt;
  changed_ = false;
  return codec_ == Codec::H264 ? h264_track(sets_) : h265_track(sets_);
}

} // namespace sluice::hls
