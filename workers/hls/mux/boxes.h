// Writes boxes of the ISO base media file format (ISO/IEC 14496-12 section 4.2) at the end of a vector: size (32),
// type (32), content. Boxes are begun and ended like brackets.
#pragma once

#include "common/base/bytes.h"

#include <string_view>

namespace sluice::hls {

class BoxWriter {
public:
  explicit BoxWriter(ByteVector &out) : out_(out) {}

  // Returns what end() wants. `type`: 4 characters.
  size_t begin(std::string_view type) {
    size_t start = out_.size();
    u32(0);
    text(type);
    return start;
  }
  size_t begin_full(std::string_view type, uint8_t version, uint32_t flags) {
    size_t start = begin(type);
    u32(static_cast<uint32_t>(version) << 24 | flags);
    return start;
  }
  void end(size_t start) { store_be32(out_.data() + start, static_cast<uint32_t>(out_.size() - start)); }

  void u8(uint8_t value) { out_.push_back(value); }
  void u16(uint16_t value) { store_be16(grow(2), value); }
  void u32(uint32_t value) { store_be32(grow(4), value); }
  void u64(uint64_t value) { store_be64(grow(8), value); }
  void zeros(size_t count) { grow(count); }
  void text(std::string_view value) { bytes(as_bytes(value)); }
  void bytes(Bytes value) { out_.insert(out_.end(), value.begin(), value.end()); }

  size_t position() const { return out_.size(); }
  void patch_u32(size_t position, uint32_t value) { store_be32(out_.data() + position, value); }

private:
  uint8_t *grow(size_t count) {
    out_.resize(out_.size() + count);
    return out_.data() + out_.size() - count;
  }

  ByteVector &out_;
};

} // namespace sluice::hls
