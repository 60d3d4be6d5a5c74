// Puts UDP packets back into order. Holds at most kSlots packets of kSlotSize bytes (128 KiB of addresses, taken at
// construction; memory once something is held) for at most kMaxWait; then a gap counts as lost and is passed over.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/rtp/sequence.h"

#include <array>
#include <bitset>
#include <memory>
#include <optional>

namespace sluice::rtp {

class ReorderBuffer {
public:
  static constexpr size_t kSlots = 64;
  static constexpr size_t kSlotSize = 2048;
  static constexpr size_t kHistory = 256; // numbers passed that it remembers: whether they arrived
  static constexpr Nanoseconds kMaxWait = 50 * kMillisecond;

  struct Stored {
    Bytes packet; // of what pop gives: valid until the next call
    Nanoseconds arrival = 0;
    Nanoseconds wall = 0;
  };
  enum class Verdict {
    Next,      // follows the last released one: the caller uses it at once, then calls pop until it is empty
    Held,      // stored; pop has nothing yet
    Duplicate, // it arrived before
    Late,      // its place was passed over; or it is older than what is remembered, or than the first
  };

  ReorderBuffer();

  // Sequence numbers are extended ones (SequenceExtender). A number beyond the buffer needs room first: what comes
  // before is released or given up. To be called until it is empty.
  std::optional<Stored> make_room(uint64_t sequence);
  // packet.size() is at most kSlotSize, and there is room.
  Verdict push(uint64_t sequence, const Stored &packet);
  // The next packet in order, if it is there.
  std::optional<Stored> pop();
  // The next packet, whatever is missing before it; empty when nothing is held.
  std::optional<Stored> pop_forced();
  // As pop_forced, but only when the oldest held packet has waited for kMaxWait.
  std::optional<Stored> pop_overdue(Nanoseconds now);
  // The instant at which pop_overdue has something to give; empty when nothing is held.
  std::optional<Nanoseconds> deadline() const;
  // Forgets everything; the next packet pushed is the first.
  void reset();

  uint64_t lost() const { return lost_; }
  size_t held() const { return held_; }

private:
  struct Slot {
    bool used = false;
    uint16_t size = 0;
    uint64_t sequence = 0;
    Nanoseconds arrival = 0;
    Nanoseconds wall = 0;
  };

  Stored release(Slot &slot);
  void pass(bool arrived); // the number that is next
  Slot &slot_of(uint64_t sequence) { return slots_[sequence % kSlots]; }
  bool holds(uint64_t sequence) { return slot_of(sequence).used && slot_of(sequence).sequence == sequence; }

  std::array<Slot, kSlots> slots_;
  std::unique_ptr<uint8_t[]> memory_;
  std::optional<uint64_t> next_;  // to be released
  std::bitset<kHistory> arrived_; // of the numbers before next_, by number % kHistory
  size_t held_ = 0;
  uint64_t lost_ = 0;
};

} // namespace sluice::rtp
