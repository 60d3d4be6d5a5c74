// The memory of a media ring, as writer, readers and supervisor share it:
//
//   [header, 64 KiB][entry slots, data_capacity / 8][data, data_capacity][the same data mapped again]
//
// Only words of 64 bits are ever accessed, aligned and through atomic_words.h, so there are no torn or mixed-size
// accesses. Behaviour lives in ring_writer.h and ring_reader.h; the argument why it is right in README.md.
#pragma once

#include "common/base/time.h"
#include "common/media/stream_description.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace sluice::ring {

constexpr uint64_t kMagic = 0x474e4952'45434c53; // "SLCERING"
constexpr uint64_t kLayoutVersion = 2;

constexpr size_t kAlignment = size_t{64} * 1024; // of header, slots and data: a multiple of every page size in use
constexpr size_t kDataBytesPerSlot = 512;
constexpr size_t kMinDataCapacity = size_t{512} * 1024;
constexpr size_t kMaxDataCapacity = size_t{1} << 30;

constexpr size_t kFrameHeaderBytes = 4; // '$', channel, be16 length: RFC 2326 section 10.12
constexpr size_t kMaxPacketBytes = 65535;
constexpr size_t kMaxEntryBytes = kFrameHeaderBytes + kMaxPacketBytes;

using media::kMaxDescriptionBytes;
constexpr size_t kMaxSlots = 64; // worker slots
constexpr size_t kSubscriberWords = kMaxSlots / 64;
constexpr size_t kMaxRings = 4096; // ring indices are below

constexpr uint64_t kNoSequence = UINT64_MAX;

enum class RingState : uint64_t {
  Waiting,    // a next generation that its writer has not continued into yet
  Live,       // entries are or will be appended
  Superseded, // `head` is final; the next generation goes on there
  Ended,      // `head` is final; nothing follows
};

// Flags of an entry.
constexpr uint16_t kRtcp = 1;
constexpr uint16_t kMarker = 2;
constexpr uint16_t kFirstOfAccessUnit = 4;
constexpr uint16_t kRandomAccess = 8; // its access unit is a random access point; set on any entry of it
constexpr uint16_t kFlush = 16;       // it and all before it are to be sent at once
constexpr uint16_t kAllFlags = 31;

// Describes one entry; in slot `sequence % slot_count`.
struct EntrySlot {
  uint64_t sequence;
  uint64_t position; // of its frame header: logical, ever growing, at `position % data_capacity` of the data
  uint64_t packed;   // length of frame header and packet (32 bits) | track << 32 | flags << 48
  uint64_t pts_ns, dts_ns, arrival_ns;
  // The publisher's input that was consumed when this entry was committed as the last of its batch; of other
  // entries: before the batch. In the newest entry it also moves on when input brings no entry.
  uint64_t input_position;
  uint64_t unused;
};
static_assert(sizeof(EntrySlot) == 64);

// Double-buffered records: copy `version % 2` is the valid one; the writer fills the other, then adds 1.
constexpr size_t kTrackStateWords = 10;
struct TrackStateWords {
  uint64_t version;
  uint64_t unused[3];
  uint64_t copies[2][kTrackStateWords];
};
static_assert(sizeof(TrackStateWords) == 192);

struct DescriptionCopy {
  uint64_t length;
  uint64_t words[kMaxDescriptionBytes / 8];
};
static_assert(sizeof(DescriptionCopy) == kMaxDescriptionBytes + 8);

// A cache line for each purpose.
struct RingHeader { // NOLINT(clang-analyzer-optin.performance.Padding)
  // Set when the ring is made. `magic` is stored last.
  uint64_t magic, layout_version;
  uint64_t header_bytes;
  uint64_t stream;
  uint64_t generation, ring_index;
  uint64_t slot_count;    // a power of two: data_capacity / kDataBytesPerSlot
  uint64_t data_capacity; // a power of two

  // Stored before anything is overwritten.
  alignas(64) uint64_t oldest; // first sequence whose slot and bytes are still there
  uint64_t reserved;           // the writer has written nothing at or beyond this position

  // Stored when a batch is complete.
  alignas(64) uint64_t head;     // next sequence to be committed
  uint64_t flush;                // everything before this sequence is to be sent at once
  uint64_t newest_random_access; // first entry of the newest random access unit, or kNoSequence
  uint64_t state;                // RingState

  // Of an empty ring; set when the ring is made or continued.
  alignas(64) uint64_t first_sequence;
  uint64_t first_position;
  uint64_t first_input_position; // consumed while there is no entry to carry it

  alignas(64) uint64_t subscribers[kSubscriberWords]; // bit per worker slot; changed by the supervisor only
  alignas(64) uint64_t description_version;
  alignas(64) TrackStateWords tracks[media::kMaxTracks];
  alignas(64) DescriptionCopy descriptions[2];
};
constexpr size_t kHeaderBytes = kAlignment;
static_assert(sizeof(RingHeader) <= kHeaderBytes);
static_assert(offsetof(RingHeader, oldest) == 64);
static_assert(offsetof(RingHeader, head) == 128);
static_assert(offsetof(RingHeader, first_sequence) == 192);
static_assert(offsetof(RingHeader, subscribers) == 256);
static_assert(offsetof(RingHeader, description_version) == 320);
static_assert(offsetof(RingHeader, tracks) == 384);
static_assert(offsetof(RingHeader, descriptions) == 384 + 192 * media::kMaxTracks);
static_assert(std::endian::native == std::endian::little);

// A time from shared memory, bounded so that differences of two do not overflow: 73 years either way.
constexpr Nanoseconds time_of(uint64_t word) {
  constexpr Nanoseconds kLimit = Nanoseconds{1} << 61;
  return std::clamp(static_cast<Nanoseconds>(word), -kLimit, kLimit);
}

constexpr bool is_valid_capacity(uint64_t capacity) {
  return std::has_single_bit(capacity) && capacity >= kMinDataCapacity && capacity <= kMaxDataCapacity;
}
constexpr size_t slot_count(size_t data_capacity) {
  return data_capacity / kDataBytesPerSlot;
}
constexpr size_t data_offset(size_t data_capacity) {
  return kHeaderBytes + slot_count(data_capacity) * sizeof(EntrySlot);
}
// Size of the memory that backs a ring.
constexpr size_t ring_bytes(size_t data_capacity) {
  return data_offset(data_capacity) + data_capacity;
}
// Size of a mapping of it, with the data mapped twice.
constexpr size_t mapping_bytes(size_t data_capacity) {
  return ring_bytes(data_capacity) + data_capacity;
}
static_assert(data_offset(kMinDataCapacity) % kAlignment == 0);

// The inverse of ring_bytes; empty when no ring has this size.
constexpr std::optional<size_t> data_capacity_of(size_t bytes) {
  if (bytes <= kHeaderBytes) return std::nullopt;
  size_t capacity = std::bit_floor(bytes - kHeaderBytes);
  if (!is_valid_capacity(capacity) || ring_bytes(capacity) != bytes) return std::nullopt;
  return capacity;
}
// The capacity for a ring of `wanted` bytes of data: the next power of two within the limits.
constexpr size_t data_capacity_for(size_t wanted) {
  if (wanted <= kMinDataCapacity) return kMinDataCapacity;
  return wanted >= kMaxDataCapacity ? kMaxDataCapacity : std::bit_ceil(wanted);
}

// One track as its publisher's worker sees it, for RTP-Info and sender reports of readers in any worker.
struct TrackState {
  uint32_t ssrc = 0;
  bool has_traffic = false; // what follows up to last_rtp_timestamp, and the counts, mean something
  uint16_t first_rtp_sequence = 0, last_rtp_sequence = 0;
  uint32_t last_rtp_timestamp = 0;
  bool has_clock = false; // the last packet whose PTS equals its DTS:
  uint32_t clock_rtp_timestamp = 0;
  Nanoseconds clock_arrival_ns = 0; // monotonic
  Nanoseconds clock_wall_ns = 0;
  uint64_t packets = 0, octets = 0, lost = 0;
  bool has_publisher_clock = false; // readers are to be told the publisher's time: its last sender report
  uint32_t publisher_rtp_timestamp = 0;
  uint64_t publisher_ntp = 0;
  Nanoseconds publisher_arrival_ns = 0; // monotonic

  bool operator==(const TrackState &) const = default;
};

using PackedTrackState = std::array<uint64_t, kTrackStateWords>;
PackedTrackState pack(const TrackState &state);
TrackState unpack_track_state(const PackedTrackState &words);

} // namespace sluice::ring
