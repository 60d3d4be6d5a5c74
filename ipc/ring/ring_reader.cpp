#include "ipc/ring/ring_reader.h"

#include "common/base/check.h"
#include "common/base/codec.h"
#include "ipc/ring/atomic_words.h"

namespace sluice::ring {
namespace {

constexpr int kAttempts = 8; // at a double-buffered record that its writer changes meanwhile

} // namespace

RingReader::RingReader(Bytes mapping, size_t capacity) : memory_(mapping.data()), capacity_(capacity) {}

const RingHeader &RingReader::header() const {
  return *reinterpret_cast<const RingHeader *>(memory_);
}
const uint64_t *RingReader::data() const {
  return reinterpret_cast<const uint64_t *>(memory_ + data_offset(capacity_));
}

Result<RingReader> RingReader::create(Bytes mapping) {
  if (mapping.size() < kHeaderBytes || reinterpret_cast<uintptr_t>(mapping.data()) % alignof(RingHeader) != 0)
    return Error{"mapping too small for a ring"};
  const auto &h = *reinterpret_cast<const RingHeader *>(mapping.data());
  if (load(h.magic) != kMagic || load(h.layout_version) != kLayoutVersion) return Error{"not a ring of this version"};
  uint64_t capacity = load(h.data_capacity);
  if (!is_valid_capacity(capacity) || mapping.size() != mapping_bytes(capacity))
    return Error{"ring header does not match its size"};
  if (load(h.header_bytes) != kHeaderBytes || load(h.slot_count) != slot_count(capacity))
    return Error{"ring header does not match its layout"};
  uint64_t generation = load(h.generation), ring_index = load(h.ring_index);
  if (generation > UINT32_MAX || ring_index >= kMaxRings) return Error{"ring header out of range"};
  RingReader reader(mapping, capacity);
  reader.stream_ = load(h.stream);
  reader.generation_ = static_cast<uint32_t>(generation);
  reader.ring_index_ = static_cast<uint32_t>(ring_index);
  return reader;
}

RingState RingReader::state() const {
  uint64_t state = load(header().state);
  return state <= static_cast<uint64_t>(RingState::Ended) ? static_cast<RingState>(state) : RingState::Ended;
}

uint64_t RingReader::head() const {
  return load(header().head);
}
uint64_t RingReader::oldest() const {
  return load(header().oldest);
}
uint64_t RingReader::flush() const {
  uint64_t committed = head();
  return std::min(load(header().flush), committed);
}

std::optional<uint64_t> RingReader::newest_random_access() const {
  std::optional<EntryInfo> start = entry(load(header().newest_random_access));
  if (!start || !safe(start->position)) return std::nullopt;
  return start->sequence;
}

bool RingReader::has_random_access() const {
  return load(header().newest_random_access) != kNoSequence;
}

bool RingReader::safe(uint64_t position) const {
  return load(header().reserved) - position <= capacity_ / 4 * 3;
}
bool RingReader::endangered(uint64_t position) const {
  return !safe(position) && state() == RingState::Live;
}
bool RingReader::intact(uint64_t position) const {
  return load(header().reserved) - position <= capacity_;
}

// The slot's fields, each loaded once, then `oldest`: if that has not passed the sequence by then, none of them had
// been overwritten. Whether the entry is committed is for the caller to know.
std::optional<EntryInfo> RingReader::load_entry(uint64_t sequence) const {
  const auto *slots = reinterpret_cast<const EntrySlot *>(memory_ + kHeaderBytes);
  const EntrySlot &slot = slots[sequence & (slot_count(capacity_) - 1)];
  EntryInfo info;
  info.sequence = load(slot.sequence);
  info.position = load(slot.position);
  uint64_t packed = load(slot.packed);
  info.pts_ns = time_of(load(slot.pts_ns));
  info.dts_ns = time_of(load(slot.dts_ns));
  info.arrival_ns = time_of(load(slot.arrival_ns));
  info.input_position = load(slot.input_position);
  if (oldest() > sequence || info.sequence != sequence) return std::nullopt;
  info.length = static_cast<uint32_t>(packed);
  info.flags = static_cast<uint16_t>(packed >> 48);
  auto track = static_cast<uint16_t>(packed >> 32);
  if (info.length <= kFrameHeaderBytes || info.length > kMaxEntryBytes || track >= media::kMaxTracks ||
      (info.flags & ~kAllFlags) != 0)
    return std::nullopt;
  info.track = static_cast<uint8_t>(track);
  return info;
}

std::optional<EntryInfo> RingReader::entry(uint64_t sequence) const {
  if (sequence >= head()) return std::nullopt;
  return load_entry(sequence);
}

Span RingReader::span(uint64_t cursor, size_t limit_bytes, uint64_t limit_sequence) const {
  Span span;
  RingState now = state(); // before the head, which is final once this says so
  uint64_t committed = head();
  if (cursor == committed) {
    if (now == RingState::Superseded) span.state = Span::State::Superseded;
    if (now == RingState::Ended) span.state = Span::State::Ended;
    return span;
  }
  if (now == RingState::Waiting) return span;
  span.state = Span::State::Lapped;
  if (cursor > committed || committed - cursor > slot_count(capacity_) || cursor < oldest()) return span;
  uint64_t end = std::min(committed, limit_sequence);
  if (cursor >= end) {
    span.state = Span::State::Empty;
    return span;
  }
  std::optional<EntryInfo> first = load_entry(cursor);
  if (!first) return span;
  std::optional<EntryInfo> last = last_within(*first, end, std::min(limit_bytes, capacity_));
  if (!last || oldest() > cursor) return span;
  span.begin_position = first->position;
  span.end_position = last->position + last->length;
  uint64_t length = span.end_position - span.begin_position;
  if (length == 0 || length > capacity_) return span;
  span.first = cursor;
  span.end = last->sequence + 1;
  span.bytes = {reinterpret_cast<const uint8_t *>(data()) + (first->position & (capacity_ - 1)),
                static_cast<size_t>(length)};
  span.state = Span::State::Data;
  return span;
}

// The last entry before `end` that leaves the run at most `limit` bytes long; the first one if none does. Empty when
// an entry on the way is gone. Mostly everything fits, so that is tried first.
std::optional<EntryInfo> RingReader::last_within(const EntryInfo &first, uint64_t end, size_t limit) const {
  auto fits = [&](const EntryInfo &entry) { return entry.position + entry.length - first.position <= limit; };
  EntryInfo best = first;
  uint64_t low = first.sequence + 1, high = end; // what fits ends within [low, high]
  for (uint64_t probe = end - 1; low < high; probe = low + (high - low) / 2) {
    std::optional<EntryInfo> entry = load_entry(probe);
    if (!entry) return std::nullopt;
    if (fits(*entry)) {
      best = *entry;
      low = probe + 1;
    } else {
      high = probe;
    }
  }
  return best;
}

// Arrival times never go back; what is gone is older than what is there.
uint64_t RingReader::first_after(Nanoseconds time, uint64_t begin, uint64_t end) const {
  while (begin < end) {
    uint64_t middle = begin + (end - begin) / 2;
    std::optional<EntryInfo> info = entry(middle);
    if (!info || info->arrival_ns <= time) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

std::optional<MutableBytes> RingReader::copy(uint64_t sequence, MutableBytes buffer) const {
  std::optional<EntryInfo> info = entry(sequence);
  if (!info || info->length > buffer.size()) return std::nullopt;
  MutableBytes out = buffer.first(info->length);
  load_bytes(data(), capacity_, info->position, out);
  if (oldest() > sequence) return std::nullopt;
  return out;
}

bool RingReader::copy_at(uint64_t position, MutableBytes out) const {
  uint64_t committed = head();
  if (committed == 0 || out.size() > capacity_) return false;
  std::optional<EntryInfo> newest = load_entry(committed - 1);
  if (!newest) return false;
  uint64_t end = newest->position + newest->length;
  if (end - position > capacity_ || end - position < out.size()) return false;
  load_bytes(data(), capacity_, position, out);
  return intact(position);
}

Resync RingReader::resync(uint64_t cursor) const {
  Resync result;
  result.cursor = newest_random_access().value_or(0);
  if (result.cursor <= cursor || result.cursor == 0) result.cursor = head();
  if (result.cursor > cursor) result.lost_entries = result.cursor - cursor;
  return result;
}

std::optional<TrackState> RingReader::track_state(size_t track) const {
  if (track >= media::kMaxTracks) return std::nullopt;
  const TrackStateWords &words = header().tracks[track];
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    uint64_t version = load(words.version);
    PackedTrackState packed{};
    for (size_t i = 0; i < packed.size(); i++) packed[i] = load(words.copies[version % 2][i]);
    if (load(words.version) == version) return unpack_track_state(packed);
  }
  return std::nullopt;
}

uint64_t RingReader::description_version() const {
  return load(header().description_version);
}

std::optional<media::StreamDescription> RingReader::description() const {
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    uint64_t version = description_version();
    const DescriptionCopy &copy = header().descriptions[version % 2];
    uint64_t length = load(copy.length);
    if (length <= kMaxDescriptionBytes) {
      ByteVector encoded(length);
      load_bytes(copy.words, sizeof(DescriptionCopy), 0, encoded);
      if (description_version() != version) continue;
      Decoder decoder(encoded);
      media::StreamDescription description;
      decoder(description);
      if (decoder.complete() && media::is_valid(description)) return description;
    }
    if (description_version() == version) return std::nullopt;
  }
  return std::nullopt;
}

} // namespace sluice::ring
