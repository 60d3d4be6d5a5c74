// Bits from the front of a span, most significant first, with the Exp-Golomb codes of H.264 and H.265
// (section 9.1 of the former). Reading past the end, or a code of more than 32 bits, gives 0 and makes ok()
// false for good: a parser reads all that it needs and asks once.
#pragma once

#include "common/base/bytes.h"

#include <algorithm>

namespace sluice::media {

class BitReader {
public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  // count: 0..32.
  uint32_t bits(unsigned count) {
    if (!ok_ || left() < count) {
      ok_ = false;
      return 0;
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < count;) {
      unsigned offset = position_ % 8;
      unsigned take = std::min(8 - offset, count - i);
      unsigned chunk = bytes_[position_ / 8] >> (8 - offset - take) & ((1u << take) - 1);
      value = value << take | chunk;
      position_ += take;
      i += take;
    }
    return static_cast<uint32_t>(value);
  }

  bool flag() { return bits(1) == 1; }

  void skip(size_t count) {
    if (!ok_ || left() < count) {
      ok_ = false;
      return;
    }
    position_ += count;
  }

  // ue(v)
  uint32_t ue() {
    unsigned zeros = 0;
    while (ok_ && !flag()) {
      if (++zeros > 31) ok_ = false;
    }
    if (!ok_) return 0;
    return static_cast<uint32_t>((uint64_t{1} << zeros) - 1 + bits(zeros));
  }

  // se(v)
  int32_t se() {
    uint32_t code = ue();
    return code % 2 ? static_cast<int32_t>(code / 2 + 1) : -static_cast<int32_t>(code / 2);
  }

  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size() * 8 - position_; }

private:
  Bytes bytes_;
  size_t position_ = 0; // in bits
  bool ok_ = true;
};

} // namespace sluice::media
