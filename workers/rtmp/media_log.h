// What a muxer has made of a stream: whole messages of RTMP as they go on the wire, in order, in memory of this worker.
// Readers are cursors on it (sequence numbers). The oldest messages give way to new ones. Owned by its Muxer.
#pragma once

#include "common/base/bytes.h"
#include "workers/rtmp/protocol/chunk_writer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sluice::rtmp {

class MediaLog {
public:
  static constexpr size_t kMinCapacity = 64 * 1024;

  struct Entry {
    uint32_t offset = 0;      // where its bytes begin
    uint32_t bytes = 0;       // with headers
    uint8_t header_bytes = 0; // of the shared header, which is of format 1
    uint8_t chunk_stream = 0;
    MessageType type = MessageType::Audio;
    bool key_frame = false;             // a reader can begin here
    uint32_t length = 0;                // of the payload
    int64_t time_ms = 0;                // the message's timestamp, on the stream's own scale
    int64_t audio_ms = 0, video_ms = 0; // that of the latest message of either chunk stream up to this one
  };

  // Bytes of memory, which are touched as they are used. A message that is larger than a quarter makes it grow.
  explicit MediaLog(size_t capacity);

  uint64_t oldest() const { return oldest_; }
  uint64_t head() const { return head_; }
  size_t capacity() const { return capacity_; }
  // The newest message that a reader can begin with.
  std::optional<uint64_t> newest_key_frame() const;
  // One of [oldest(), head()).
  const Entry &entry(uint64_t sequence) const { return entries_[sequence & (entries_.size() - 1)]; }
  Bytes bytes(const Entry &entry) const { return {memory_.get() + entry.offset, entry.bytes}; }

  struct Run {
    Bytes bytes;
    uint64_t end = 0; // the first entry that is not in it
  };
  // The longest run of messages from `sequence` that lie one behind the other.
  Run run(uint64_t sequence) const;
  // The entry of [first, end), a part of one run, in which its byte `offset` lies.
  uint64_t entry_at(uint64_t first, uint64_t end, size_t offset) const;

  // A message of `length` bytes of payload is about to be added: entries before this sequence will go.
  uint64_t going_for(uint32_t length);
  // The timestamp that a message of this chunk stream can have: it never goes back.
  int64_t time_for(uint8_t chunk_stream, int64_t time_ms) const;
  // Adds it, with such a timestamp; its payload is `pieces`, one behind the other, `length` bytes together.
  void append(uint8_t chunk_stream, MessageType type, int64_t time_ms, bool key_frame, std::span<const Bytes> pieces);
  // Nobody can begin before this any more.
  void forget_key_frames() { newest_key_frame_.reset(); }
  // At least so many bytes from now on.
  void grow(size_t capacity);

private:
  struct Place {
    size_t offset = 0;
    uint64_t going = 0; // entries before this give way
  };
  Place place_for(size_t bytes) const;
  uint32_t delta_to(uint8_t chunk_stream, int64_t time_ms) const;

  size_t capacity_;
  std::unique_ptr<uint8_t[]> memory_;
  std::vector<Entry> entries_; // a power of two of them
  uint64_t oldest_ = 0, head_ = 0;
  size_t next_ = 0; // where the next message is to begin, if there is room
  std::optional<uint64_t> newest_key_frame_;
  std::optional<int64_t> last_ms_[kVideoChunkStream + 1]; // by chunk stream
};

} // namespace sluice::rtmp
