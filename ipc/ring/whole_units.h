// Keeps what one reader of a ring is given to whole access units, track by track: of a unit whose beginning it did not
// get it leaves out the rest, and when the reader is too slow it says where to go on and what completes the units that
// were begun. Decides and copies; sends nothing. Owned by the reader, who keeps the cursor.
//
// A unit of a track ends where the track's next one begins (kFirstOfAccessUnit). So a track is *late* until a unit of
// it begins, and may be *begun* as soon as something of it was sent.
#pragma once

#include "ipc/ring/ring_reader.h"

#include <array>

namespace sluice::ring {

class WholeUnits {
public:
  // Entries that are looked at for one decision. Of a track that brings nothing among so many, no unit is taken to be
  // under way.
  static constexpr uint64_t kMaxScan = 16384;

  // Of `tracks` those whose bit is set in `wanted` are read.
  WholeUnits(uint32_t wanted, size_t tracks);

  // The reader begins with the first entry of a random access unit. Otherwise it begins in the midst of things.
  void begin_at(const RingReader &ring, uint64_t cursor);

  // Everything that is wanted passes, until the next skip().
  bool all_pass() const { return late_ == 0; }
  bool wants(const EntryInfo &entry) const { return (wanted_ & bit(entry.track)) != 0; }
  bool passes(const EntryInfo &entry) const { return passes(entry.track, (entry.flags & kRtcp) != 0); }
  bool passes(uint8_t track, bool rtcp) const { return ((rtcp ? wanted_ : wanted_ & ~late_) & bit(track)) != 0; }
  // Up to where, at most `end`, passes() is right for entries from `cursor` on. Nothing between the cursors of two
  // calls may be passed over.
  uint64_t settled_until(const RingReader &ring, uint64_t cursor, uint64_t end);
  // Something of what passes was sent.
  void note_sent() {
    begun_ = wanted_ & ~late_;
    in_gap_ = false;
  }

  struct Skip {
    uint64_t target = 0;       // the new cursor
    ByteVector rest;           // frames to be sent before, on the channels that were asked for
    uint64_t rest_entries = 0; // in them
    uint64_t left_out = 0;     // entries of tracks that are read; of those gone unseen, of any
    bool new_gap = false;      // something was sent since the skip before
  };
  // For a cursor that is, or is about to be, overwritten: on to the newest random access unit. If there is none ahead
  // that is safe the reader waits for one, at the head; where there never was one it goes on at the head. `channels`:
  // of each track's RTP; `room`: for the rest. Error, for the session's end: a unit stays torn.
  Result<Skip> skip(const RingReader &ring, uint64_t cursor, const std::array<uint8_t, media::kMaxTracks> &channels,
                    size_t room);
  // Nothing may be sent until can_go_on(), and then skip().
  bool waits() const { return waits_; }
  bool can_go_on(const RingReader &ring, uint64_t cursor) const { return target(ring, cursor).has_value(); }
  // Entries left out because their unit's beginning was, are losses.
  bool in_recovery() const { return recovers_; }

private:
  static uint32_t bit(uint8_t track) { return uint32_t{1} << track; }
  std::optional<uint64_t> target(const RingReader &ring, uint64_t cursor) const;
  Result<uint32_t> copy_rest(const RingReader &ring, uint64_t cursor,
                             const std::array<uint8_t, media::kMaxTracks> &channels, size_t room, Skip &skip) const;
  void be_late(const RingReader &ring, std::optional<uint64_t> random_access, uint32_t except);

  uint32_t wanted_;
  bool all_wanted_;
  uint32_t late_ = 0, begun_ = 0; // disjoint
  bool waits_ = false, in_gap_ = false, recovers_ = false;
};

} // namespace sluice::ring
