#include "ipc/ring/ring_subscribers.h"

#include "common/base/check.h"
#include "ipc/ring/ring_layout.h"

namespace sluice::ring {
namespace {

uint64_t &word_of(MutableBytes mapping, size_t slot) {
  CHECK(mapping.size() >= sizeof(RingHeader) && slot < kMaxSlots);
  return reinterpret_cast<RingHeader *>(mapping.data())->subscribers[slot / 64];
}

} // namespace

void subscribe(MutableBytes mapping, size_t slot) {
  __atomic_fetch_or(&word_of(mapping, slot), uint64_t{1} << slot % 64, __ATOMIC_ACQ_REL);
}

void unsubscribe(MutableBytes mapping, size_t slot) {
  __atomic_fetch_and(&word_of(mapping, slot), ~(uint64_t{1} << slot % 64), __ATOMIC_ACQ_REL);
}

void copy_subscribers(MutableBytes from, MutableBytes to) {
  for (size_t slot = 0; slot < kMaxSlots; slot += 64)
    __atomic_store_n(&word_of(to, slot), __atomic_load_n(&word_of(from, slot), __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

} // namespace sluice::ring
