// The memory of a segment store, as its writer, its readers and the supervisor share it:
//
//   [header, 64 KiB][index, copy 0][index, copy 1][data, data_capacity][the same data mapped again]
//
// The data is a log of finished objects (segments, parts, initialisation sections), each at a logical position that
// ever grows; it stands at `position % data_capacity`. What the objects are is told by the index, whose form is its
// writer's own. Only touched pages cost memory: the capacity is a bound, and what is let go is given back.
//
// Copy `version % 2` of the index is the valid one; the writer fills the other, then adds 1. Words are accessed through
// ipc/ring/atomic_words.h; the data's bytes are written before a version names them.
#pragma once

#include "ipc/shm/doorbell_board.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::store {

constexpr uint64_t kMagic = 0x524f5453'45434c53; // "SLCESTOR"
using shm::kMaxStores;

constexpr uint64_t kLayoutVersion = 1;

constexpr size_t kAlignment = size_t{64} * 1024; // a multiple of every page size in use
constexpr size_t kMaxIndexBytes = size_t{512} * 1024;
constexpr size_t kMaxDataCapacity = size_t{1} << 36;

struct StoreHeader { // NOLINT(clang-analyzer-optin.performance.Padding)
  // Set when the store is made; `magic` last.
  uint64_t magic, layout_version;
  uint64_t id; // 48 random bits: names of files carry it
  uint64_t store_index;
  uint64_t data_capacity;

  alignas(64) uint64_t version;    // of the index; 0: none yet
  uint64_t oldest;                 // data before this position is gone, or about to go
  uint64_t end;                    // of the data; nothing was written at or beyond it that counts
  alignas(64) uint64_t lengths[2]; // of the index's copies

  alignas(64) uint64_t subscribers; // a bit per worker slot that is woken by news; changed by the supervisor only
};
static_assert(sizeof(StoreHeader) <= kAlignment);

constexpr size_t kIndexOffset = kAlignment;
constexpr size_t kDataOffset = kIndexOffset + 2 * kMaxIndexBytes;

constexpr bool is_valid_capacity(uint64_t capacity) {
  return capacity > 0 && capacity % kAlignment == 0 && capacity <= kMaxDataCapacity;
}
constexpr size_t store_bytes(size_t data_capacity) {
  return kDataOffset + data_capacity;
}
// The inverse; empty when no store has this size.
constexpr std::optional<size_t> data_capacity_of(size_t bytes) {
  if (bytes <= kDataOffset || !is_valid_capacity(bytes - kDataOffset)) return std::nullopt;
  return bytes - kDataOffset;
}

} // namespace sluice::store
