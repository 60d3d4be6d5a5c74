// The only writer of a ring. Appends stage entries, commit() publishes them all by one store. May die between any
// two instructions: resume() in another process goes on with what was committed. The mapping (read-write, as
// mapping_bytes() says) must outlive it. Never blocks, never waits for readers.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "ipc/ring/rate_window.h"
#include "ipc/ring/ring_layout.h"

#include <optional>

namespace sluice::ring {

struct RingParameters {
  uint64_t stream = 0;
  uint32_t generation = 0; // above 0 the ring waits for continue_from()
  uint32_t ring_index = 0; // below kMaxRings
  media::StreamDescription description;
};

struct EntryMeta {
  uint8_t track = 0; // below media::kMaxTracks
  // kRandomAccess: of video; of audio only where the stream has no video.
  uint16_t flags = 0;
  Nanoseconds pts_ns = 0, dts_ns = 0;
  Nanoseconds arrival_ns = 0; // monotonic; does not go backwards
};

class RingWriter {
public:
  // Makes a fresh ring of memory that is all zero; the supervisor does this.
  static Result<void> format(MutableBytes mapping, const RingParameters &parameters);
  // format(), then resume().
  static Result<RingWriter> create(MutableBytes mapping, const RingParameters &parameters);
  // Takes over a ring whose previous writer is certainly dead, also in the middle of an append. All that is read
  // is checked; a ring that does not hold together is an Error, and the supervisor replaces it.
  static Result<RingWriter> resume(MutableBytes mapping);
  // Goes on in the next generation, freshly formatted with a generation above 0: same sequence, positions,
  // description, track states and input position. `old` has nothing staged; afterwards it is superseded.
  static Result<RingWriter> continue_from(MutableBytes mapping, RingWriter &old);

  // Stages one packet; `rest` follows `packet`. False, with nothing changed: the packet is empty or above
  // kMaxPacketBytes, or the batch would exceed half of the ring and has to be committed first.
  [[nodiscard]] bool append(const EntryMeta &meta, Bytes packet, Bytes rest = {});
  // Makes what is staged visible, and `input_position` consumed, by one store.
  void commit(uint64_t input_position);
  // What the last commit() said; a successor goes on there.
  uint64_t input_position() const;

  Result<void> set_description(const media::StreamDescription &description);
  void set_track_state(size_t track, const TrackState &state);
  TrackState track_state(size_t track) const;
  // No more entries will come. Nothing is staged.
  void end();
  // What follows is not decoded from what there is, or comes much later: nobody is to begin there. Nothing is staged.
  void forget_random_access();

  // Data capacity to ask for when this ring is too small: its last full group of pictures, or the one under way if
  // that is larger, plus one second have to fit into three quarters of it. 0: large enough, or at `max_bytes`.
  uint64_t wanted_bytes(Nanoseconds now, uint64_t max_bytes) const;
  // Whether `bytes` more would overwrite an entry that arrived less than `age_ns` ago.
  bool would_overwrite_younger_than(Nanoseconds now, Nanoseconds age_ns, uint64_t bytes) const;

  // Worker slots to wake after a commit, 64 to a word. A slot that is not in it yet will scan by itself.
  uint64_t subscribers(size_t word = 0);

  uint64_t stream() const;
  uint32_t generation() const;
  uint32_t ring_index() const;
  size_t data_capacity() const { return capacity_; }
  uint64_t head() const { return head_; }
  // Times of the newest committed entry that is no RTCP; empty if there is none among the last few.
  std::optional<EntryMeta> newest_media() const;
  size_t staged_entries() const { return static_cast<size_t>(next_ - head_); }
  uint64_t staged_bytes() const { return position_ - head_position_; }

private:
  RingWriter(MutableBytes mapping, size_t capacity);

  static Result<RingWriter> open(MutableBytes mapping);
  RingHeader &header() const;
  EntrySlot &slot(uint64_t sequence) const;
  uint64_t *data() const;
  Result<void> adopt();
  Result<void> adopt_entry(uint64_t sequence, uint64_t &position);
  void fill_from(const RingWriter &old);
  void note_entry(const EntryMeta &meta);
  void make_room(uint64_t end);
  uint64_t first_at_or_after(uint64_t position) const;

  uint8_t *memory_;
  size_t capacity_;
  uint64_t head_ = 0;     // as published
  uint64_t next_ = 0;     // first sequence not staged
  uint64_t oldest_ = 0;   // as published
  uint64_t reserved_ = 0; // as published
  uint64_t position_ = 0; // end of what is staged
  uint64_t head_position_ = 0;
  bool flush_ = false; // something staged says so

  struct Mark {
    uint64_t sequence = kNoSequence, position = 0;
  };
  std::array<Mark, media::kMaxTracks> access_unit_; // newest first entry of an access unit, per track
  Mark random_access_;                              // newest, staged ones included
  uint64_t published_random_access_ = kNoSequence;
  uint64_t last_group_bytes_ = 0, last_group_entries_ = 0;
  RateWindow last_second_;
};

} // namespace sluice::ring
