// Access to the words of shared memory. Every load is an acquire, every store a release: a reader that sees any
// word of a new entry also sees, in whatever it loads afterwards, all that was stored before that word. That is
// what the checks after a read rest on; no fences are needed.
#pragma once

#include "common/base/bytes.h"

#include <algorithm>
#include <cstring>

namespace sluice::ring {

inline uint64_t load(const uint64_t &word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
inline void store(uint64_t &word, uint64_t value) {
  __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

// Copies from `position` of a circular area of `capacity` bytes, a power of two; at most `capacity` bytes.
inline void load_bytes(const uint64_t *area, size_t capacity, uint64_t position, MutableBytes out) {
  uint8_t *to = out.data();
  size_t left = out.size();
  size_t offset = static_cast<size_t>(position & (capacity - 1));
  auto part = [&](size_t skip, size_t size) {
    uint64_t word = load(area[offset / 8]);
    std::memcpy(to, reinterpret_cast<const uint8_t *>(&word) + skip, size);
    to += size;
    left -= size;
    offset = (offset + size) & (capacity - 1);
  };
  if (offset % 8 != 0 && left > 0) part(offset % 8, std::min(left, 8 - offset % 8));
  while (left >= 8) {
    const uint64_t *from = area + offset / 8;
    size_t words = std::min(left, capacity - offset) / 8;
    for (size_t i = 0; i < words; i++) {
      uint64_t word = load(from[i]);
      std::memcpy(to + i * 8, &word, 8);
    }
    to += words * 8;
    left -= words * 8;
    offset = (offset + words * 8) & (capacity - 1);
  }
  if (left > 0) part(0, left);
}

// The reverse. Words that are covered in part keep their other bytes; there is one writer only.
inline void store_bytes(uint64_t *area, size_t capacity, uint64_t position, Bytes in) {
  const uint8_t *from = in.data();
  size_t left = in.size();
  size_t offset = static_cast<size_t>(position & (capacity - 1));
  auto part = [&](size_t skip, size_t size) {
    uint64_t word = load(area[offset / 8]);
    std::memcpy(reinterpret_cast<uint8_t *>(&word) + skip, from, size);
    store(area[offset / 8], word);
    from += size;
    left -= size;
    offset = (offset + size) & (capacity - 1);
  };
  if (offset % 8 != 0 && left > 0) part(offset % 8, std::min(left, 8 - offset % 8));
  while (left >= 8) {
    uint64_t *to = area + offset / 8;
    size_t words = std::min(left, capacity - offset) / 8;
    for (size_t i = 0; i < words; i++) {
      uint64_t word = 0;
      std::memcpy(&word, from + i * 8, 8);
      store(to[i], word);
    }
    from += words * 8;
    left -= words * 8;
    offset = (offset + words * 8) & (capacity - 1);
  }
  if (left > 0) part(0, left);
}

} // namespace sluice::ring
