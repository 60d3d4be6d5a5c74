// A set of worker slots. Those of all protocols share one numbering: a slot's number is also that of its doorbell, its
// bit in a ring's subscribers, and the low bits of its sessions' ids.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace sluice::control {

struct SlotSet {
  static constexpr uint16_t kMaxSlots = 64;

  uint64_t bits = 0; // a bit for each slot

  constexpr SlotSet() = default;
  constexpr SlotSet(std::initializer_list<uint16_t> slots) {
    for (uint16_t slot : slots) insert(slot);
  }
  static constexpr SlotSet first(size_t count) {
    SlotSet set;
    for (uint16_t slot = 0; slot < count && slot < kMaxSlots; slot++) set.insert(slot);
    return set;
  }

  constexpr void insert(uint16_t slot) { bits |= slot < kMaxSlots ? uint64_t{1} << slot : 0; }
  constexpr bool contains(uint16_t slot) const { return slot < kMaxSlots && (bits >> slot & 1) != 0; }
  constexpr bool empty() const { return bits == 0; }
  constexpr size_t size() const { return static_cast<size_t>(std::popcount(bits)); }
  constexpr uint16_t lowest() const { return static_cast<uint16_t>(std::countr_zero(bits)); } // kMaxSlots: none
  constexpr bool operator==(const SlotSet &) const = default;

  // Calls `visit` with each slot, in order.
  template <class F> constexpr void for_each(F &&visit) const {
    for (uint64_t rest = bits; rest != 0; rest &= rest - 1) visit(static_cast<uint16_t>(std::countr_zero(rest)));
  }
};

} // namespace sluice::control
