// The NAL units of one access unit of H.264 or H.265 after the other, and the parameter sets among them. Pure; holds
// views that are valid as long as what they were taken from.
#pragma once

#include "common/media/parameters.h"
#include "workers/hls/demux/sink.h"

#include <optional>

namespace sluice::hls {

class NalCollector {
public:
  // H264 or H265.
  explicit NalCollector(media::Codec codec) : codec_(codec) {}

  // What the container says beforehand.
  void set(const media::ParameterSets &sets) { sets_ = sets; }

  void begin();
  // Delimiters are part of a container's form and left out, as are units of no bytes. False: too many of them.
  bool add(Bytes unit);

  std::span<const Bytes> units() const { return units_; }
  // Decoding can start here: it has an IDR or IRAP picture, or an SPS.
  bool is_random_access() const { return random_access_; }
  // Once after parameter sets have changed, when none is missing.
  std::optional<FoundTrack> take_change();

private:
  unsigned type_of(Bytes unit) const;
  void learn(ByteVector &stored, Bytes unit);

  media::Codec codec_;
  media::ParameterSets sets_;
  bool changed_ = false;
  bool random_access_ = false;
  std::vector<Bytes> units_;
};

} // namespace sluice::hls
