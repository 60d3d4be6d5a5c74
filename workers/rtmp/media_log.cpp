#include "workers/rtmp/media_log.h"

#include "common/base/check.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sluice::rtmp {
namespace {

constexpr size_t kFirstEntries = 256;
constexpr size_t kBytesPerEntry = 64; // of memory, at least: many small messages shall not take more than their bytes
constexpr uint32_t kMaxDelta = 0xfffffe; // one more would need an extended timestamp

ChunkHeader shared_header(uint8_t chunk_stream, MessageType type, uint32_t delta, uint32_t length) {
  return {.format = 1, .chunk_stream = chunk_stream, .type = type, .stream = 0, .timestamp = delta, .length = length};
}

size_t message_bytes(uint32_t length) {
  ChunkHeader header = shared_header(kVideoChunkStream, MessageType::Video, 0, length);
  return header_bytes(header) + body_bytes(header);
}

} // namespace

MediaLog::MediaLog(size_t capacity)
    : capacity_(std::max(capacity, kMinCapacity)), memory_(new uint8_t[capacity_]), entries_(kFirstEntries) {}

std::optional<uint64_t> MediaLog::newest_key_frame() const {
  if (!newest_key_frame_ || *newest_key_frame_ < oldest_) return std::nullopt;
  return newest_key_frame_;
}

MediaLog::Run MediaLog::run(uint64_t sequence) const {
  if (sequence >= head_) return {{}, sequence};
  const Entry &first = entry(sequence), &last = entry(head_ - 1);
  if (last.offset >= first.offset)
    return {{memory_.get() + first.offset, last.offset + last.bytes - first.offset}, head_};
  // It wraps: offsets grow up to there.
  uint64_t low = sequence, high = head_ - 1; // entry(high) lies before the wrap's end
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    (entry(middle).offset >= first.offset ? low : high) = middle;
  }
  const Entry &end = entry(low);
  return {{memory_.get() + first.offset, end.offset + end.bytes - first.offset}, low + 1};
}

uint64_t MediaLog::entry_at(uint64_t first, uint64_t end, size_t offset) const {
  size_t target = entry(first).offset + offset;
  uint64_t low = first, high = end; // entry(low).offset <= target
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    (entry(middle).offset <= target ? low : high) = middle;
  }
  return low;
}

// Behind the newest message, or at the front if the rest is too short. What lies there, or is passed over, goes.
MediaLog::Place MediaLog::place_for(size_t bytes) const {
  Place place{.offset = next_, .going = oldest_};
  if (place.offset + bytes > capacity_) {
    place.offset = 0;
    while (place.going < head_ && entry(place.going).offset >= next_) place.going++;
  }
  while (place.going < head_) {
    const Entry &old = entry(place.going);
    bool overlaps = old.offset < place.offset + bytes && place.offset < old.offset + old.bytes;
    if (!overlaps) break;
    place.going++;
  }
  uint64_t most = std::max(kFirstEntries, std::bit_floor(capacity_ / kBytesPerEntry));
  if (head_ + 1 > most) place.going = std::max(place.going, head_ + 1 - most);
  return place;
}

uint64_t MediaLog::going_for(uint32_t length) {
  size_t bytes = message_bytes(length);
  if (bytes > capacity_ / 4) grow(std::bit_ceil(4 * bytes));
  return place_for(bytes).going;
}

uint32_t MediaLog::delta_to(uint8_t chunk_stream, int64_t time_ms) const {
  const std::optional<int64_t> &last = last_ms_[chunk_stream];
  return last ? static_cast<uint32_t>(std::clamp<int64_t>(time_ms - *last, 0, kMaxDelta)) : 0;
}

int64_t MediaLog::time_for(uint8_t chunk_stream, int64_t time_ms) const {
  return std::max(time_ms, last_ms_[chunk_stream].value_or(time_ms));
}

void MediaLog::append(uint8_t chunk_stream, MessageType type, int64_t time_ms, bool key_frame,
                      std::span<const Bytes> pieces) {
  CHECK(chunk_stream < std::size(last_ms_) && time_for(chunk_stream, time_ms) == time_ms);
  size_t length = 0;
  for (Bytes piece : pieces) length += piece.size();
  uint64_t going = going_for(static_cast<uint32_t>(length));
  ChunkHeader header =
      shared_header(chunk_stream, type, delta_to(chunk_stream, time_ms), static_cast<uint32_t>(length));
  size_t bytes = header_bytes(header) + body_bytes(header);
  size_t offset = place_for(bytes).offset;
  oldest_ = going;
  if (head_ - oldest_ == entries_.size()) {
    std::vector<Entry> more(2 * entries_.size());
    for (uint64_t i = oldest_; i < head_; i++) more[i & (more.size() - 1)] = entry(i);
    entries_ = std::move(more);
  }
  last_ms_[chunk_stream] = time_ms;
  MessageWriter writer({memory_.get() + offset, bytes}, header);
  for (Bytes piece : pieces) writer.append(piece);
  CHECK(writer.complete() && writer.bytes() == bytes);
  entries_[head_ & (entries_.size() - 1)] = {.offset = static_cast<uint32_t>(offset),
                                             .bytes = static_cast<uint32_t>(bytes),
                                             .header_bytes = static_cast<uint8_t>(writer.header_bytes()),
                                             .chunk_stream = chunk_stream,
                                             .type = type,
                                             .key_frame = key_frame,
                                             .length = static_cast<uint32_t>(length),
                                             .time_ms = time_ms,
                                             .audio_ms = last_ms_[kAudioChunkStream].value_or(0),
                                             .video_ms = last_ms_[kVideoChunkStream].value_or(0)};
  if (key_frame) newest_key_frame_ = head_;
  next_ = offset + bytes;
  head_++;
}

// What there is moves to the front.
void MediaLog::grow(size_t capacity) {
  if (capacity <= capacity_) return;
  std::unique_ptr<uint8_t[]> memory(new uint8_t[capacity]);
  next_ = 0;
  for (uint64_t i = oldest_; i < head_; i++) {
    Entry &moved = entries_[i & (entries_.size() - 1)];
    std::memcpy(memory.get() + next_, memory_.get() + moved.offset, moved.bytes);
    moved.offset = static_cast<uint32_t>(next_);
    next_ += moved.bytes;
  }
  memory_ = std::move(memory);
  capacity_ = capacity;
}

} // namespace sluice::rtmp
