#include "ipc/ring/ring_writer.h"

#include "common/base/check.h"
#include "common/base/codec.h"
#include "ipc/ring/atomic_words.h"

namespace sluice::ring {
namespace {

// A batch is at most half of the ring, so that the newest committed entry always survives it.
static_assert(kMinDataCapacity / 2 >= 2 * kMaxEntryBytes);

constexpr uint64_t kSane = uint64_t{1} << 62; // sequences and positions stay below: no sum of two overflows

uint64_t pack(size_t length, uint8_t track, uint16_t flags) {
  return uint64_t{length} | uint64_t{track} << 32 | uint64_t{flags} << 48;
}

Error corrupt(const char *what) {
  return Error{std::string("ring memory does not hold together: ") + what};
}

} // namespace

RingWriter::RingWriter(MutableBytes mapping, size_t capacity) : memory_(mapping.data()), capacity_(capacity) {}

RingHeader &RingWriter::header() const {
  return *reinterpret_cast<RingHeader *>(memory_);
}
EntrySlot &RingWriter::slot(uint64_t sequence) const {
  auto *slots = reinterpret_cast<EntrySlot *>(memory_ + kHeaderBytes);
  return slots[sequence & (slot_count(capacity_) - 1)];
}
uint64_t *RingWriter::data() const {
  return reinterpret_cast<uint64_t *>(memory_ + data_offset(capacity_));
}

Result<void> RingWriter::format(MutableBytes mapping, const RingParameters &parameters) {
  size_t capacity = mapping.size() > kHeaderBytes ? std::bit_floor((mapping.size() - kHeaderBytes) / 2) : 0;
  if (!is_valid_capacity(capacity) || mapping_bytes(capacity) != mapping.size()) return Error{"no size of a ring"};
  if (parameters.ring_index >= kMaxRings) return Error{"ring index out of range"};
  if (!media::is_valid(parameters.description)) return Error{"invalid stream description"};
  RingWriter writer(mapping, capacity);
  RingHeader &h = writer.header();
  if (load(h.magic) != 0) return Error{"memory already holds a ring"};
  store(h.layout_version, kLayoutVersion);
  store(h.header_bytes, kHeaderBytes);
  store(h.stream, parameters.stream);
  store(h.generation, parameters.generation);
  store(h.ring_index, parameters.ring_index);
  store(h.slot_count, slot_count(capacity));
  store(h.data_capacity, capacity);
  store(h.newest_random_access, kNoSequence);
  store(h.state, static_cast<uint64_t>(parameters.generation > 0 ? RingState::Waiting : RingState::Live));
  TRY(writer.set_description(parameters.description));
  store(h.magic, kMagic);
  return {};
}

Result<RingWriter> RingWriter::create(MutableBytes mapping, const RingParameters &parameters) {
  TRY(format(mapping, parameters));
  return resume(mapping);
}

// Checks what is set when a ring is made.
Result<RingWriter> RingWriter::open(MutableBytes mapping) {
  if (mapping.size() < kHeaderBytes) return Error{"mapping too small for a ring"};
  RingHeader &h = *reinterpret_cast<RingHeader *>(mapping.data());
  uint64_t capacity = load(h.data_capacity);
  if (load(h.magic) != kMagic) return corrupt("magic");
  if (load(h.layout_version) != kLayoutVersion) return corrupt("layout version");
  if (!is_valid_capacity(capacity) || mapping.size() != mapping_bytes(capacity)) return corrupt("data capacity");
  if (load(h.header_bytes) != kHeaderBytes || load(h.slot_count) != slot_count(capacity)) return corrupt("sizes");
  if (load(h.ring_index) >= kMaxRings || load(h.generation) > UINT32_MAX) return corrupt("identity");
  return RingWriter(mapping, capacity);
}

Result<RingWriter> RingWriter::resume(MutableBytes mapping) {
  RingWriter writer = TRY(open(mapping));
  uint64_t state = load(writer.header().state);
  if (state == static_cast<uint64_t>(RingState::Waiting)) return Error{"ring waits for its predecessor"};
  if (state != static_cast<uint64_t>(RingState::Live)) return Error{"ring is finished"};
  TRY(writer.adopt());
  return writer;
}

// What was staged beyond the head is forgotten; its positions and sequences are used again. `oldest` and `reserved`
// stand, because what they allowed may have been overwritten.
Result<void> RingWriter::adopt() {
  RingHeader &h = header();
  head_ = next_ = load(h.head);
  oldest_ = load(h.oldest);
  reserved_ = load(h.reserved);
  uint64_t first = load(h.first_sequence), position = load(h.first_position);
  if (head_ > kSane || reserved_ > kSane || oldest_ < first || oldest_ > head_) return corrupt("sequences");
  if (head_ - oldest_ > slot_count(capacity_)) return corrupt("more entries than slots");
  if (oldest_ == head_ && head_ != first) return corrupt("no newest entry");
  if (oldest_ < head_) {
    position = load(slot(oldest_).position);
    if (position > reserved_ || reserved_ - position > capacity_) return corrupt("oldest position");
  }
  for (uint64_t sequence = oldest_; sequence < head_; sequence++) TRY(adopt_entry(sequence, position));
  if (position > reserved_ || reserved_ - position > capacity_ / 2) return corrupt("reserved position");
  position_ = head_position_ = position;
  published_random_access_ = load(h.newest_random_access);
  if (random_access_.sequence != kNoSequence && random_access_.sequence != published_random_access_) {
    published_random_access_ = random_access_.sequence;
    store(h.newest_random_access, published_random_access_);
  }
  store(h.flush, head_); // whatever the predecessor had in mind, nothing waits longer for it
  return {};
}

Result<void> RingWriter::adopt_entry(uint64_t sequence, uint64_t &position) {
  const EntrySlot &s = slot(sequence);
  uint64_t packed = load(s.packed);
  auto length = static_cast<uint32_t>(packed);
  auto track = static_cast<uint16_t>(packed >> 32);
  if (load(s.sequence) != sequence) return corrupt("slot of another entry");
  if (load(s.position) != position) return corrupt("gap between entries");
  if (length <= kFrameHeaderBytes || length > kMaxEntryBytes) return corrupt("length of an entry");
  if (track >= media::kMaxTracks) return corrupt("track of an entry");
  next_ = sequence;
  position_ = position;
  note_entry({static_cast<uint8_t>(track), static_cast<uint16_t>(packed >> 48), 0, 0, time_of(load(s.arrival_ns))});
  position += length;
  next_ = sequence + 1;
  return {};
}

Result<RingWriter> RingWriter::continue_from(MutableBytes mapping, RingWriter &old) {
  CHECK(old.staged_entries() == 0);
  RingWriter writer = TRY(open(mapping));
  if (writer.stream() != old.stream() || writer.generation() <= old.generation())
    return Error{"not the next generation of this ring"};
  uint64_t state = load(writer.header().state);
  if (state == static_cast<uint64_t>(RingState::Waiting)) {
    writer.fill_from(old);
    store(writer.header().state, static_cast<uint64_t>(RingState::Live));
  } else if (state != static_cast<uint64_t>(RingState::Live)) {
    return Error{"next generation is finished"};
  }
  TRY(writer.adopt());
  if (writer.head_ != old.head_) return corrupt("next generation does not follow");
  writer.access_unit_ = old.access_unit_;
  writer.random_access_ = old.random_access_;
  writer.last_group_bytes_ = old.last_group_bytes_;
  writer.last_group_entries_ = old.last_group_entries_;
  writer.last_second_ = old.last_second_;
  store(old.header().state, static_cast<uint64_t>(RingState::Superseded));
  return writer;
}

// Copies what is under way: from the newest random access unit on, if it is there and fits, so that a reader who
// wants to start with a picture need not wait for the next. No reader looks at a waiting ring.
void RingWriter::fill_from(const RingWriter &old) {
  RingHeader &h = header();
  const RingHeader &from = old.header();
  uint64_t first = old.head_, position = old.head_position_;
  const Mark &start = old.random_access_;
  if (start.sequence >= old.oldest_ && start.sequence < old.head_ && position - start.position <= capacity_ / 2 &&
      first - start.sequence <= slot_count(capacity_) / 2) {
    first = start.sequence;
    position = start.position;
  }
  store(h.first_sequence, first);
  store(h.first_position, position);
  store(h.first_input_position, old.input_position());
  store(h.oldest, first);
  store(h.reserved, old.head_position_);
  std::array<uint8_t, 16384> buffer;
  for (uint64_t at = position; at < old.head_position_;) {
    size_t size = std::min<size_t>(buffer.size(), old.head_position_ - at);
    load_bytes(old.data(), old.capacity_, at, MutableBytes(buffer).first(size));
    store_bytes(data(), capacity_, at, Bytes(buffer).first(size));
    at += size;
  }
  for (uint64_t sequence = first; sequence < old.head_; sequence++) {
    const auto *words = reinterpret_cast<const uint64_t *>(&old.slot(sequence));
    auto *to = reinterpret_cast<uint64_t *>(&slot(sequence));
    for (size_t i = 0; i < sizeof(EntrySlot) / 8; i++) store(to[i], load(words[i]));
  }
  for (size_t track = 0; track < media::kMaxTracks; track++) set_track_state(track, old.track_state(track));
  uint64_t version = load(from.description_version);
  const DescriptionCopy &description = from.descriptions[version % 2];
  DescriptionCopy &copy = h.descriptions[version % 2];
  uint64_t length = std::min<uint64_t>(load(description.length), kMaxDescriptionBytes);
  store(copy.length, length);
  for (size_t i = 0; i < (length + 7) / 8; i++) store(copy.words[i], load(description.words[i]));
  store(h.description_version, version);
  store(h.newest_random_access, first < old.head_ ? first : kNoSequence);
  store(h.head, old.head_);
}

bool RingWriter::append(const EntryMeta &meta, Bytes packet, Bytes rest) {
  CHECK(meta.track < media::kMaxTracks);
  size_t packet_bytes = packet.size() + rest.size();
  if (packet_bytes == 0 || packet_bytes > kMaxPacketBytes) return false;
  size_t length = kFrameHeaderBytes + packet_bytes;
  if (next_ - head_ >= slot_count(capacity_) / 2) return false;
  if (position_ + length - head_position_ > capacity_ / 2) return false;
  make_room(position_ + length);

  std::array<uint8_t, kFrameHeaderBytes> frame{};
  frame[0] = '$';
  frame[1] = static_cast<uint8_t>(meta.track * 2 + ((meta.flags & kRtcp) != 0 ? 1 : 0));
  store_be16(&frame[2], static_cast<uint16_t>(packet_bytes));
  store_bytes(data(), capacity_, position_, frame);
  store_bytes(data(), capacity_, position_ + kFrameHeaderBytes, packet);
  store_bytes(data(), capacity_, position_ + kFrameHeaderBytes + packet.size(), rest);

  EntrySlot &s = slot(next_);
  store(s.sequence, next_);
  store(s.position, position_);
  store(s.packed, pack(length, meta.track, meta.flags & kAllFlags));
  store(s.pts_ns, static_cast<uint64_t>(meta.pts_ns));
  store(s.dts_ns, static_cast<uint64_t>(meta.dts_ns));
  store(s.arrival_ns, static_cast<uint64_t>(meta.arrival_ns));
  store(s.input_position, input_position());
  note_entry(meta);
  flush_ = flush_ || (meta.flags & kFlush) != 0;
  next_++;
  position_ += length;
  return true;
}

// Declares gone what an entry up to `end` in the slot of next_ will overwrite. Stops before the newest committed
// entry, which a batch never reaches.
void RingWriter::make_room(uint64_t end) {
  uint64_t oldest = oldest_;
  while (oldest < head_ && (load(slot(oldest).position) + capacity_ < end || next_ - oldest >= slot_count(capacity_)))
    oldest++;
  if (oldest != oldest_) {
    oldest_ = oldest;
    store(header().oldest, oldest);
  }
  if (end > reserved_) {
    reserved_ = end;
    store(header().reserved, end);
  }
}

// The entry at next_ and position_.
void RingWriter::note_entry(const EntryMeta &meta) {
  last_second_.note(meta.arrival_ns, next_, position_);
  if ((meta.flags & kRtcp) != 0) return;
  Mark &unit = access_unit_[meta.track];
  if ((meta.flags & kFirstOfAccessUnit) != 0) unit = {next_, position_};
  if ((meta.flags & kRandomAccess) == 0 || unit.sequence == kNoSequence || unit.sequence == random_access_.sequence)
    return;
  if (random_access_.sequence != kNoSequence) {
    last_group_bytes_ = unit.position - random_access_.position;
    last_group_entries_ = unit.sequence - random_access_.sequence;
  }
  random_access_ = unit;
}

void RingWriter::commit(uint64_t input_position) {
  RingHeader &h = header();
  if (next_ == head_) {
    store(oldest_ < head_ ? slot(head_ - 1).input_position : h.first_input_position, input_position);
    return;
  }
  store(slot(next_ - 1).input_position, input_position);
  if (flush_) store(h.flush, next_);
  store(h.head, next_);
  if (random_access_.sequence != kNoSequence && random_access_.sequence != published_random_access_) {
    published_random_access_ = random_access_.sequence;
    store(h.newest_random_access, published_random_access_);
  }
  flush_ = false;
  head_ = next_;
  head_position_ = position_;
}

uint64_t RingWriter::input_position() const {
  return oldest_ < head_ ? load(slot(head_ - 1).input_position) : load(header().first_input_position);
}

Result<void> RingWriter::set_description(const media::StreamDescription &description) {
  Encoder encoder;
  encoder(description);
  ByteVector encoded = encoder.take();
  if (encoded.size() > kMaxDescriptionBytes) return Error{"stream description too large"};
  RingHeader &h = header();
  uint64_t version = load(h.description_version);
  DescriptionCopy &copy = h.descriptions[(version + 1) % 2];
  store(copy.length, encoded.size());
  for (size_t at = 0; at < encoded.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, encoded.data() + at, std::min<size_t>(8, encoded.size() - at));
    store(copy.words[at / 8], word);
  }
  store(h.description_version, version + 1);
  return {};
}

void RingWriter::set_track_state(size_t track, const TrackState &state) {
  CHECK(track < media::kMaxTracks);
  TrackStateWords &words = header().tracks[track];
  uint64_t version = load(words.version);
  PackedTrackState packed = ring::pack(state);
  for (size_t i = 0; i < packed.size(); i++) store(words.copies[(version + 1) % 2][i], packed[i]);
  store(words.version, version + 1);
}

TrackState RingWriter::track_state(size_t track) const {
  CHECK(track < media::kMaxTracks);
  const TrackStateWords &words = header().tracks[track];
  uint64_t version = load(words.version);
  PackedTrackState packed{};
  for (size_t i = 0; i < packed.size(); i++) packed[i] = load(words.copies[version % 2][i]);
  return unpack_track_state(packed);
}

void RingWriter::end() {
  CHECK(staged_entries() == 0);
  store(header().state, static_cast<uint64_t>(RingState::Ended));
}

void RingWriter::forget_random_access() {
  CHECK(staged_entries() == 0);
  random_access_ = {};
  published_random_access_ = kNoSequence;
  store(header().newest_random_access, kNoSequence);
}

uint64_t RingWriter::wanted_bytes(Nanoseconds now, uint64_t max_bytes) const {
  // Where nothing is a random access point there is no group; where the newest one is gone, everything is of it.
  uint64_t group_bytes = last_group_bytes_, group_entries = last_group_entries_;
  Mark start = random_access_;
  if (start.sequence == kNoSequence && published_random_access_ != kNoSequence && oldest_ < head_)
    start = {oldest_, load(slot(oldest_).position)};
  if (start.sequence != kNoSequence) {
    group_bytes = std::max(group_bytes, position_ - start.position);
    group_entries = std::max(group_entries, next_ - start.sequence);
  }
  RateWindow::Amount second = last_second_.last_second(now, next_, position_);
  uint64_t needed = std::max(group_bytes + second.bytes, (group_entries + second.entries) * kDataBytesPerSlot);
  if (needed <= capacity_ / 4 * 3) return 0;
  uint64_t limit = std::min<uint64_t>(std::bit_floor(max_bytes), kMaxDataCapacity);
  uint64_t wanted = std::min<uint64_t>(data_capacity_for(needed + needed / 3), limit);
  return wanted > capacity_ ? wanted : 0;
}

// The first entry in [oldest, next) that lies at or after `position`, or next.
uint64_t RingWriter::first_at_or_after(uint64_t position) const {
  uint64_t low = oldest_, high = next_;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (load(slot(middle).position) < position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

bool RingWriter::would_overwrite_younger_than(Nanoseconds now, Nanoseconds age_ns, uint64_t bytes) const {
  if (bytes >= capacity_) return true;
  uint64_t end = position_ + bytes, slots = slot_count(capacity_);
  uint64_t kept = end > capacity_ ? first_at_or_after(end - capacity_) : oldest_;
  uint64_t end_sequence = next_ + (bytes + kDataBytesPerSlot - 1) / kDataBytesPerSlot;
  if (end_sequence > slots) kept = std::max(kept, std::min(end_sequence - slots, next_));
  if (kept <= oldest_) return false;
  return now - time_of(load(slot(kept - 1).arrival_ns)) < age_ns;
}

uint64_t RingWriter::subscribers(size_t word) {
  CHECK(word < kSubscriberWords);
  // A read-modify-write, not a load: it is ordered after the store of the head against a subscribe() that it misses.
  return __atomic_fetch_or(&header().subscribers[word], uint64_t{0}, __ATOMIC_ACQ_REL);
}

std::optional<EntryMeta> RingWriter::newest_media() const {
  constexpr uint64_t kMostReports = 64; // that may follow it
  for (uint64_t sequence = head_; sequence > oldest_ && head_ - sequence < kMostReports; sequence--) {
    const EntrySlot &s = slot(sequence - 1);
    uint64_t packed = load(s.packed);
    auto flags = static_cast<uint16_t>(packed >> 48);
    if ((flags & kRtcp) != 0) continue;
    return EntryMeta{static_cast<uint8_t>(packed >> 32), flags, time_of(load(s.pts_ns)), time_of(load(s.dts_ns)),
                     time_of(load(s.arrival_ns))};
  }
  return std::nullopt;
}

uint64_t RingWriter::stream() const {
  return load(header().stream);
}
uint32_t RingWriter::generation() const {
  return static_cast<uint32_t>(load(header().generation));
}
uint32_t RingWriter::ring_index() const {
  return static_cast<uint32_t>(load(header().ring_index));
}

} // namespace sluice::ring
