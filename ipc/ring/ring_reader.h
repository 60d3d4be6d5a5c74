// Reads a ring through a read-only mapping (as mapping_bytes() says; it must outlive the reader). Stateless: a
// cursor is a sequence number that the caller keeps. Trusts nothing it reads: sizes are copied once, every value
// is range-checked, and no address outside of the mapping is ever touched, whatever the memory holds.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "ipc/ring/ring_layout.h"

#include <vector>

namespace sluice::ring {

struct EntryInfo {
  uint64_t sequence = 0;
  uint64_t position = 0;
  uint32_t length = 0; // with its frame header
  uint8_t track = 0;
  uint16_t flags = 0;
  Nanoseconds pts_ns = 0, dts_ns = 0, arrival_ns = 0;
  uint64_t input_position = 0;
};

// A run of entries [first, end) as they lie in the ring, ready for the wire.
struct Span {
  enum class State : uint8_t {
    Data,       // the rest is meaningful only then
    Empty,      // nothing to send yet
    Lapped,     // the cursor's entry is gone
    Superseded, // all was read; go on at the same cursor in the next generation
    Ended,      // all was read and nothing follows
  };

  State state = State::Empty;
  Bytes bytes;
  uint64_t first = 0, end = 0;
  uint64_t begin_position = 0, end_position = 0;
};

struct Resync {
  uint64_t cursor = 0;
  uint64_t lost_entries = 0;
};

class RingReader {
public:
  static Result<RingReader> create(Bytes mapping);

  uint64_t stream() const { return stream_; }
  uint32_t generation() const { return generation_; }
  uint32_t ring_index() const { return ring_index_; }
  size_t data_capacity() const { return capacity_; }

  RingState state() const; // what is not a state counts as Ended
  uint64_t head() const;
  uint64_t oldest() const;
  // Everything before it is to be sent at once; at most head().
  uint64_t flush() const;
  // First entry of the newest random access unit, if it is still far enough from being overwritten.
  std::optional<uint64_t> newest_random_access() const;
  // It has, or had, a random access point; where there is none, decoding may begin anywhere.
  bool has_random_access() const;
  // Where a reader begins that wants only what comes from now on.
  uint64_t live_start() const { return head(); }

  // The longest run of committed entries from `cursor`, ending before `limit_sequence` and with at most
  // `limit_bytes` (but at least one entry). The bytes are only for the kernel to read, and only if
  // safe(begin_position) holds before and intact(begin_position) after.
  Span span(uint64_t cursor, size_t limit_bytes, uint64_t limit_sequence = kNoSequence) const;
  // What lies at `position` is at least a quarter of the ring away from being overwritten.
  bool safe(uint64_t position) const;
  // It is not, and may be overwritten: once its writer is done with a ring, nothing in it is in danger.
  bool endangered(uint64_t position) const;
  // What lies at `position` and later was not overwritten by anything until now.
  bool intact(uint64_t position) const;

  // Empty: not committed yet, or gone.
  std::optional<EntryInfo> entry(uint64_t sequence) const;
  // The first entry of [begin, end) that arrived after `time`, or `end`.
  uint64_t first_after(Nanoseconds time, uint64_t begin, uint64_t end) const;
  // The entry's bytes, validated after they were copied to the front of `buffer` (kMaxEntryBytes always suffice).
  // Empty: not committed, gone, or larger than the buffer.
  std::optional<MutableBytes> copy(uint64_t sequence, MutableBytes buffer) const;
  // Likewise committed bytes from `position`, for a session that was cut off in the middle of an entry.
  bool copy_at(uint64_t position, MutableBytes out) const;

  // Where a reader whose cursor is not in the ring goes on that minds no access units (others: WholeUnits): the newest
  // random access unit, or the head.
  Resync resync(uint64_t cursor) const;

  // Empty: changed under our hands repeatedly, or not valid.
  std::optional<TrackState> track_state(size_t track) const;
  std::optional<media::StreamDescription> description() const;
  // Changes whenever the description does.
  uint64_t description_version() const;

private:
  RingReader(Bytes mapping, size_t capacity);

  const RingHeader &header() const;
  std::optional<EntryInfo> load_entry(uint64_t sequence) const;
  std::optional<EntryInfo> last_within(const EntryInfo &first, uint64_t end, size_t limit) const;
  const uint64_t *data() const;

  const uint8_t *memory_;
  size_t capacity_;
  uint64_t stream_ = 0;
  uint32_t generation_ = 0;
  uint32_t ring_index_ = 0;
};

} // namespace sluice::ring
