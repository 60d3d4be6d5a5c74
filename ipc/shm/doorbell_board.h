// The doorbells of all worker slots. Per slot: an eventfd, a flag that says it was rung, and a bitmap of the rings
// and segment stores that have news, in one memfd that every worker maps read-write. An eventfd is written at most once
// until its slot drains. What a worker that died in the middle of ringing left behind is cured by ring_anyway() of its
// successor and by the slow fallback scan, which drains too.
#pragma once

#include "ipc/ring/ring_layout.h"
#include "ipc/shm/mapping.h"

#include <span>

namespace sluice::shm {

constexpr size_t kMaxStores = 4096; // segment stores; their indices are below
// What rings and stores are called here: rings by their indices, stores by those that follow.
constexpr size_t kMaxBellIndices = ring::kMaxRings + kMaxStores;
constexpr size_t bell_index_of_store(size_t store_index) {
  return ring::kMaxRings + store_index;
}

// Indices that have news.
class DirtyRings {
public:
  static constexpr size_t kWords = kMaxBellIndices / 64;

  bool any() const;
  bool test(size_t index) const { return words_[index / 64] >> (index % 64) & 1; }
  template <class F> void for_each(F &&visit) const {
    for (size_t i = 0; i < kWords; i++)
      for (uint64_t rest = words_[i]; rest != 0; rest &= rest - 1)
        visit(i * 64 + static_cast<size_t>(std::countr_zero(rest)));
  }

private:
  friend class DoorbellBoard;
  std::array<uint64_t, kWords> words_{};
};

class DoorbellBoard {
public:
  // Memory of a board: a memfd of this many zero bytes is one.
  static size_t bytes();
  static Result<DoorbellBoard> map(int fd);

  // Marks the ring or store for each slot of the mask and wakes those slots that are not awake already. `doorbells`
  // holds the eventfd of each slot, EFD_NONBLOCK; slots beyond its end or with -1 are only marked.
  void ring(uint64_t slot_mask, size_t index, std::span<const int> doorbells);
  // The same, but the eventfds are written in any case.
  void ring_anyway(uint64_t slot_mask, size_t index, std::span<const int> doorbells);
  // By the slot itself when its doorbell is readable, at its start, and in the fallback scan. Look at the rings
  // after this, not before.
  DirtyRings drain(size_t slot, int doorbell);

private:
  struct Slot;

  explicit DoorbellBoard(Mapping mapping) : mapping_(std::move(mapping)) {}
  Slot &slot(size_t index) const;
  void ring(uint64_t slot_mask, size_t index, std::span<const int> doorbells, bool anyway);

  Mapping mapping_;
};

} // namespace sluice::shm
