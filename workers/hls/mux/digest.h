// FNV-1a with 64 bits: tells what is the same from what has changed, where nobody wants to deceive.
#pragma once

#include "common/base/bytes.h"

namespace sluice::hls {

class Digest {
public:
  void add(Bytes bytes) {
    for (uint8_t byte : bytes) value_ = (value_ ^ byte) * kPrime;
  }
  void add(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) value_ = (value_ ^ (number >> shift & 0xff)) * kPrime;
  }
  uint64_t value() const { return value_; }

private:
  static constexpr uint64_t kPrime = 0x100000001b3;
  uint64_t value_ = 0xcbf29ce484222325;
};

} // namespace sluice::hls
