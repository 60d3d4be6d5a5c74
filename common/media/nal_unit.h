// What H.264 and H.265 have in common: NAL units and their emulation prevention (ITU-T H.264 section 7.4.1).
#pragma once

#include "common/base/bytes.h"

#include <array>

namespace sluice::media {

// Parameter sets longer than this are not understood; real ones have less than 200 bytes.
constexpr size_t kMaxParameterSet = 1024;

// The payload of a NAL unit without its emulation prevention bytes (00 00 03 → 00 00). Input beyond
// kMaxParameterSet bytes is left out: only parameter sets and slice headers are read this way.
class RawPayload {
public:
  explicit RawPayload(Bytes nal_unit);
  Bytes bytes() const { return {buffer_.data(), size_}; }

private:
  std::array<uint8_t, kMaxParameterSet> buffer_;
  size_t size_ = 0;
};

} // namespace sluice::media
