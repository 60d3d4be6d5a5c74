// A ring over a memfd, mapped as its writer and as its readers map it, and packets whose content follows from
// their sequence number, so that whoever gets one can check it.
#pragma once

#include "ipc/ring/atomic_words.h"
#include "ipc/ring/ring_reader.h"
#include "ipc/ring/ring_writer.h"
#include "ipc/shm/mapping.h"
#include "ipc/shm/memfd.h"

#include <gtest/gtest.h>

namespace sluice::ring {

inline media::StreamDescription description_of(size_t tracks) {
  media::StreamDescription description;
  for (size_t i = 0; i < tracks; i++) {
    media::Track track;
    track.codec = i == 0 ? media::Codec::H264 : media::Codec::Opus;
    track.payload_type = static_cast<uint8_t>(96 + i);
    track.clock_rate = i == 0 ? 90000 : 48000;
    track.encoding = i == 0 ? "H264" : "opus";
    track.fmtp = "packetization-mode=1";
    description.tracks.push_back(track);
  }
  return description;
}

inline RingParameters parameters_of(uint32_t generation = 0) {
  return {.stream = 77, .generation = generation, .ring_index = 5, .description = description_of(2)};
}

struct TestMemory {
  explicit TestMemory(size_t capacity = kMinDataCapacity)
      : fd(shm::create_memfd("test-ring", ring_bytes(capacity)).value()),
        writable(shm::Mapping::map_ring(fd.get(), shm::Access::ReadWrite).value()),
        read_only(
            shm::Mapping::map_ring(shm::reopen_read_only(fd.get()).value().get(), shm::Access::ReadOnly).value()) {}

  RingHeader &header() const { return *reinterpret_cast<RingHeader *>(writable.writable().data()); }
  EntrySlot &slot(size_t index) const {
    return reinterpret_cast<EntrySlot *>(writable.writable().data() + kHeaderBytes)[index];
  }

  Fd fd;
  shm::Mapping writable, read_only;
};

struct TestRing : TestMemory {
  explicit TestRing(size_t capacity = kMinDataCapacity, const RingParameters &parameters = parameters_of())
      : TestMemory(capacity), writer(RingWriter::create(writable.writable(), parameters).value()),
        reader(RingReader::create(read_only.bytes()).value()) {}

  RingWriter writer;
  RingReader reader;
};

inline uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

inline size_t packet_bytes(uint64_t sequence) {
  return 12 + mix(sequence) % 1400;
}
inline uint8_t track_of(uint64_t sequence) {
  return static_cast<uint8_t>(mix(sequence + 1) % 2);
}

inline ByteVector packet_of(uint64_t sequence, size_t bytes) {
  ByteVector packet(bytes);
  for (size_t i = 0; i < bytes; i += 8) {
    uint64_t word = mix(sequence * 1000 + i);
    std::memcpy(packet.data() + i, &word, std::min<size_t>(8, bytes - i));
  }
  return packet;
}
inline ByteVector packet_of(uint64_t sequence) {
  return packet_of(sequence, packet_bytes(sequence));
}

// As it lies in the ring.
inline ByteVector framed(uint8_t track, Bytes packet, bool rtcp = false) {
  ByteVector entry(4 + packet.size());
  entry[0] = '$';
  entry[1] = static_cast<uint8_t>(track * 2 + (rtcp ? 1 : 0));
  store_be16(&entry[2], static_cast<uint16_t>(packet.size()));
  std::copy(packet.begin(), packet.end(), entry.begin() + 4);
  return entry;
}
inline ByteVector entry_of(uint64_t sequence) {
  return framed(track_of(sequence), packet_of(sequence));
}

inline bool append_next(RingWriter &writer, uint16_t flags = 0, Nanoseconds arrival = 0) {
  uint64_t sequence = writer.head() + writer.staged_entries();
  auto time = static_cast<Nanoseconds>(sequence);
  ByteVector packet = packet_of(sequence);
  return writer.append({track_of(sequence), flags, time, time - 1, arrival}, packet);
}

inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

// Copies a span as if for checking later: word by word, since its writer may be at it.
inline ByteVector copy_of(const Span &span, const RingReader &reader) {
  ByteVector bytes(span.bytes.size());
  EXPECT_TRUE(reader.copy_at(span.begin_position, bytes));
  return bytes;
}

} // namespace sluice::ring
