// The output order of H.264 pictures (ITU-T H.264 section 8.2.1) as far as it is needed to derive decoding times where
// the SPS does not say how far pictures are reordered: how many pictures are known to precede one in decoding that they
// follow in output, before that one has come. Pure; one per track. Only picture order counts of type 0 are read: with
// type 2 nothing is reordered, and type 1 is for streams that repeat one pattern, where what is seen suffices.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/h264.h"

#include <array>
#include <optional>

namespace sluice::media {

// The begin of a slice header (section 7.3.3).
struct H264Slice {
  bool idr = false;
  bool reference = false;
  uint32_t frame_num = 0;
  bool field = false;
  uint32_t poc_lsb = 0; // with poc_type 0
};

// A NAL unit or its first bytes: 32 are enough. Errors: not a slice with a header, too short.
Result<H264Slice> parse_h264_slice(Bytes nal_unit, const H264Sps &sps);

class PictureOrder {
public:
  explicit PictureOrder(const H264Sps &sps) : sps_(sps) {}

  // The first slice of each picture, in decoding order. Returns how many pictures that were given precede, as far as
  // is known, one that is to come and that they follow in output; empty when the slice is not understood. Where
  // encoders leave counts out this is too much, until the next picture shows it.
  std::optional<size_t> add(Bytes slice);

private:
  static constexpr size_t kMaxAhead = 16; // pictures that a decoder may hold back

  int64_t order_count(const H264Slice &slice);
  void begin(int64_t count);
  void learn_step(int64_t count);
  void insert(int64_t count);

  H264Sps sps_;
  int64_t msb_ = 0; // of the last reference picture
  uint32_t lsb_ = 0;
  bool started_ = false;
  int64_t step_ = 2;                           // between frames that follow each other
  int64_t shown_ = 0;                          // all pictures up to this count have come
  std::array<int64_t, kMaxAhead + 1> ahead_{}; // those beyond it, ascending
  size_t ahead_count_ = 0;
};

} // namespace sluice::media
