#include "common/rtp/reorder_buffer.h"

#include "common/base/check.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

ReorderBuffer::ReorderBuffer() : memory_(std::make_unique_for_overwrite<uint8_t[]>(kSlots * kSlotSize)) {}

void ReorderBuffer::pass(bool arrived) {
  arrived_[*next_ % kHistory] = arrived;
  if (!arrived) lost_++;
  next_ = *next_ + 1;
}

ReorderBuffer::Stored ReorderBuffer::release(Slot &slot) {
  slot.used = false;
  held_--;
  pass(true); // it is the next
  size_t index = static_cast<size_t>(&slot - slots_.data());
  return {Bytes(memory_.get() + index * kSlotSize, slot.size), slot.arrival, slot.wall};
}

std::optional<ReorderBuffer::Stored> ReorderBuffer::make_room(uint64_t sequence) {
  if (!next_) return std::nullopt;
  while (*next_ + kSlots <= sequence) {
    if (held_ == 0 && sequence - *next_ >= kHistory + kSlots) {
      lost_ += sequence - kSlots + 1 - *next_;
      next_ = sequence - kSlots + 1;
      arrived_.reset();
      return std::nullopt;
    }
    if (holds(*next_)) return release(slot_of(*next_));
    pass(false);
  }
  return pop();
}

ReorderBuffer::Verdict ReorderBuffer::push(uint64_t sequence, const Stored &packet) {
  CHECK(packet.packet.size() <= kSlotSize);
  if (!next_) next_ = sequence;
  CHECK(sequence < *next_ + kSlots);
  if (sequence < *next_) {
    if (*next_ - sequence > kHistory) return Verdict::Late;
    bool again = arrived_[sequence % kHistory];
    arrived_[sequence % kHistory] = true;
    return again ? Verdict::Duplicate : Verdict::Late;
  }
  if (sequence == *next_) {
    pass(true);
    return Verdict::Next;
  }
  if (holds(sequence)) return Verdict::Duplicate;
  Slot &slot = slot_of(sequence);
  CHECK(!slot.used);
  slot = {true, static_cast<uint16_t>(packet.packet.size()), sequence, packet.arrival, packet.wall};
  size_t index = static_cast<size_t>(&slot - slots_.data());
  std::memcpy(memory_.get() + index * kSlotSize, packet.packet.data(), packet.packet.size());
  held_++;
  return Verdict::Held;
}

std::optional<ReorderBuffer::Stored> ReorderBuffer::pop() {
  if (held_ == 0 || !holds(*next_)) return std::nullopt;
  return release(slot_of(*next_));
}

std::optional<ReorderBuffer::Stored> ReorderBuffer::pop_forced() {
  if (held_ == 0) return std::nullopt;
  while (!holds(*next_)) pass(false); // at most kSlots times
  return release(slot_of(*next_));
}

std::optional<ReorderBuffer::Stored> ReorderBuffer::pop_overdue(Nanoseconds now) {
  auto due = deadline();
  if (!due || *due > now) return std::nullopt;
  return pop_forced();
}

std::optional<Nanoseconds> ReorderBuffer::deadline() const {
  if (held_ == 0) return std::nullopt;
  std::optional<Nanoseconds> oldest;
  for (const Slot &slot : slots_) {
    if (slot.used && (!oldest || slot.arrival < *oldest)) oldest = slot.arrival;
  }
  return *oldest + kMaxWait;
}

void ReorderBuffer::reset() {
  for (Slot &slot : slots_) slot.used = false;
  held_ = 0;
  arrived_.reset();
  next_.reset();
}

} // namespace sluice::rtp
