#include "ipc/shm/doorbell_board.h"

#include "common/base/check.h"

#include <unistd.h>

#include <algorithm>

namespace sluice::shm {

struct DoorbellBoard::Slot {
  alignas(64) uint64_t rung;
  alignas(64) uint64_t dirty[DirtyRings::kWords];
};

bool DirtyRings::any() const {
  return std::any_of(words_.begin(), words_.end(), [](uint64_t word) { return word != 0; });
}

size_t DoorbellBoard::bytes() {
  static_assert(sizeof(Slot) == 64 + kMaxBellIndices / 8);
  return sizeof(Slot) * ring::kMaxSlots;
}

Result<DoorbellBoard> DoorbellBoard::map(int fd) {
  Mapping mapping = TRY(Mapping::map(fd, Access::ReadWrite));
  if (mapping.bytes().size() != bytes()) return Error{"shared memory has no size of a doorbell board"};
  return DoorbellBoard(std::move(mapping));
}

DoorbellBoard::Slot &DoorbellBoard::slot(size_t index) const {
  CHECK(index < ring::kMaxSlots);
  return reinterpret_cast<Slot *>(mapping_.writable().data())[index];
}

void DoorbellBoard::ring(uint64_t slot_mask, size_t bell_index, std::span<const int> doorbells) {
  ring(slot_mask, bell_index, doorbells, false);
}

void DoorbellBoard::ring_anyway(uint64_t slot_mask, size_t bell_index, std::span<const int> doorbells) {
  ring(slot_mask, bell_index, doorbells, true);
}

// All accesses are read-modify-writes, each ordered against the other side's on the same word. Whoever finds `rung`
// 0 writes the eventfd; who finds it 1 was early enough for the drain that will clear it, which takes the bits later.
void DoorbellBoard::ring(uint64_t slot_mask, size_t bell_index, std::span<const int> doorbells, bool anyway) {
  CHECK(bell_index < kMaxBellIndices);
  for (uint64_t rest = slot_mask; rest != 0; rest &= rest - 1) {
    auto index = static_cast<size_t>(std::countr_zero(rest));
    Slot &s = slot(index);
    __atomic_fetch_or(&s.dirty[bell_index / 64], uint64_t{1} << bell_index % 64, __ATOMIC_ACQ_REL);
    bool was_rung = __atomic_exchange_n(&s.rung, 1, __ATOMIC_ACQ_REL) != 0;
    if (was_rung && !anyway) continue;
    if (index >= doorbells.size() || doorbells[index] < 0) continue;
    uint64_t one = 1;
    // It fails only when its counter is full, and then it is readable anyway.
    [[maybe_unused]] ssize_t written = write(doorbells[index], &one, sizeof(one));
  }
}

DirtyRings DoorbellBoard::drain(size_t slot_index, int doorbell) {
  Slot &s = slot(slot_index);
  uint64_t count = 0;
  [[maybe_unused]] ssize_t taken = read(doorbell, &count, sizeof(count)); // nothing there: a scan without a ring
  __atomic_exchange_n(&s.rung, 0, __ATOMIC_ACQ_REL);
  DirtyRings dirty;
  for (size_t i = 0; i < DirtyRings::kWords; i++) {
    if (__atomic_load_n(&s.dirty[i], __ATOMIC_RELAXED) == 0) continue;
    dirty.words_[i] = __atomic_exchange_n(&s.dirty[i], 0, __ATOMIC_ACQ_REL);
  }
  return dirty;
}

} // namespace sluice::shm
