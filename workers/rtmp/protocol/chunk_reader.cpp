#include "workers/rtmp/protocol/chunk_reader.h"

#include "common/base/secret.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtmp {
namespace {

constexpr size_t kFieldBytes[] = {11, 7, 3, 0};
constexpr uint32_t kExtended = 0xffffff;
constexpr uint32_t kMaxChunkBytes = 0x7fffffff;
constexpr uint32_t kFirstLongId = 64;
constexpr size_t kFirstBufferBytes = 256;
// A message without a header behind one of format 0 repeats its timestamp as a delta (section 5.3.1.2.4). Who means
// that has begun at a time of one frame's duration; at a larger one it is meant as the same time once more.
constexpr uint32_t kMaxRepeatedTimestamp = 1000;

uint32_t load_be24(const uint8_t *p) {
  return static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
}

uint32_t load_le32(const uint8_t *p) {
  return static_cast<uint32_t>(p[3]) << 24 | static_cast<uint32_t>(p[2]) << 16 | static_cast<uint32_t>(p[1]) << 8 |
         p[0];
}

} // namespace

std::optional<ChunkReader::Header> ChunkReader::basic_header(Bytes input) {
  if (input.empty()) return std::nullopt;
  Header header{1, static_cast<uint8_t>(input[0] >> 6), input[0] & 0x3fU};
  if (header.id > 1) return header;
  header.bytes = header.id == 0 ? 2 : 3;
  if (input.size() < header.bytes) return std::nullopt;
  header.id = kFirstLongId + input[1] + (header.bytes == 3 ? 256U * input[2] : 0);
  return header;
}

// Makes it current_. Null: unknown.
ChunkReader::Stream *ChunkReader::find(uint32_t id) {
  if (current_ < streams_.size() && streams_[current_].id == id) return &streams_[current_];
  for (size_t i = 0; i < streams_.size(); i++) {
    if (streams_[i].id != id) continue;
    current_ = i;
    return &streams_[i];
  }
  return nullptr;
}

// The bytes of the extended timestamp that a chunk of format 3 begins with: 4, or 0 for a peer that does not repeat it.
// Empty: it can't be told yet. The specification says nothing clear, so what stands there decides.
std::optional<size_t> ChunkReader::repeated_timestamp(const Stream &stream, Bytes rest) {
  uint8_t field[4], timestamp[4];
  store_be32(field, stream.field);
  store_be32(timestamp, stream.timestamp); // as some repeat it that sent a delta
  size_t compared = std::min<size_t>(rest.size(), 4);
  bool same =
      std::equal(field, field + compared, rest.begin()) || std::equal(timestamp, timestamp + compared, rest.begin());
  if (!same) return 0;
  return compared == 4 ? std::optional<size_t>(4) : std::nullopt;
}

Result<void> ChunkReader::read_message_header(Stream &stream, uint8_t format, Bytes fields, uint32_t timestamp) {
  if (format <= 1) {
    uint32_t length = load_be24(fields.data() + 3);
    if (length > kMaxMessageBytes) return Error{fmt::format("message of {} bytes is too large", length)};
    stream.length = length;
    stream.type = static_cast<MessageType>(fields[6]);
  }
  if (format == 0) {
    stream.stream = load_le32(fields.data() + 7);
    stream.timestamp = timestamp;
    stream.delta = timestamp <= kMaxRepeatedTimestamp ? timestamp : 0;
  } else if (format != 3) {
    stream.delta = timestamp;
    stream.timestamp += timestamp;
  } else {
    stream.timestamp += stream.delta;
  }
  if (format != 3) {
    stream.field = timestamp;
    stream.extended = load_be24(fields.data()) == kExtended;
  }
  return {};
}

// The header's bytes; 0: incomplete, and nothing has changed.
Result<size_t> ChunkReader::begin_chunk(Bytes input) {
  auto header = basic_header(input);
  if (!header) return 0;
  size_t field_bytes = kFieldBytes[header->format];
  if (input.size() < header->bytes + field_bytes) return 0;
  Bytes fields = input.subspan(header->bytes, field_bytes), rest = input.subspan(header->bytes + field_bytes);

  Stream *stream = find(header->id);
  if (stream == nullptr) {
    // Some begin a chunk stream with format 1: nothing is left out that matters to them.
    if (header->format > 1) return Error{fmt::format("chunk stream {} begins without a message header", header->id)};
    if (streams_.size() == kMaxChunkStreams) return Error{fmt::format("more than {} chunk streams", kMaxChunkStreams)};
  } else if (stream->under_way && header->format != 3) {
    return Error{fmt::format("a message begins within another on chunk stream {}", header->id)};
  }

  size_t extended_bytes = 0;
  uint32_t timestamp = 0;
  if (header->format != 3) {
    timestamp = load_be24(fields.data());
    extended_bytes = timestamp == kExtended ? 4 : 0;
    if (rest.size() < extended_bytes) return 0;
    if (extended_bytes != 0) timestamp = load_be32(rest.data());
  } else if (stream->extended) {
    auto repeated = repeated_timestamp(*stream, rest);
    if (!repeated) return 0;
    extended_bytes = *repeated;
  }

  if (stream == nullptr) {
    current_ = streams_.size();
    stream = &streams_.emplace_back();
    stream->id = header->id;
  }
  if (!stream->under_way) {
    TRY(read_message_header(*stream, header->format, fields, timestamp));
    if (stream->buffer.capacity() > kKeptBytes && stream->length <= kKeptBytes) drop(*stream);
  }
  stream->under_way = true;
  chunk_left_ = std::min(chunk_size_, stream->length - stream->received);
  in_chunk_ = true;
  return header->bytes + field_bytes + extended_bytes;
}

Result<ChunkReader::Taken> ChunkReader::next(Bytes input) {
  size_t taken = 0;
  while (true) {
    if (!in_chunk_) {
      size_t header = TRY(begin_chunk(input.subspan(taken)));
      if (header == 0) return Taken{taken, std::nullopt};
      taken += header;
    }
    Stream &stream = streams_[current_];
    Bytes payload = input.subspan(taken);
    payload = payload.first(std::min<size_t>(payload.size(), chunk_left_));
    taken += payload.size();
    chunk_left_ -= static_cast<uint32_t>(payload.size());
    in_chunk_ = chunk_left_ > 0;
    bool complete = !in_chunk_ && stream.received + payload.size() == stream.length;
    if (complete) return finish(stream, taken, payload);
    TRY(keep(stream, payload));
    if (in_chunk_) return Taken{taken, std::nullopt};
  }
}

Result<void> ChunkReader::keep(Stream &stream, Bytes payload) {
  if (payload.empty()) return {};
  TRY(make_room(stream, stream.received + payload.size()));
  if (stream.received == 0) stream.buffer.clear();
  stream.buffer.insert(stream.buffer.end(), payload.begin(), payload.end());
  stream.received += static_cast<uint32_t>(payload.size());
  return {};
}

Result<void> ChunkReader::make_room(Stream &stream, size_t bytes) {
  size_t capacity = stream.buffer.capacity();
  if (bytes <= capacity) return {};
  size_t wanted = std::min<size_t>(std::max({bytes, 2 * capacity, kFirstBufferBytes}), stream.length);
  // Growing takes both, the old and the new one, for a moment.
  if (reserved_ + wanted > kMaxBufferedBytes) release();
  if (reserved_ + wanted > kMaxBufferedBytes) return Error{"too many bytes of incomplete messages"};
  reserved_ -= stream.buffer.capacity();
  ByteVector larger;
  larger.reserve(wanted);
  larger.insert(larger.end(), stream.buffer.begin(), stream.buffer.end());
  bool is_command = stream.type == MessageType::CommandAmf0 || stream.type == MessageType::CommandAmf3;
  if (is_command) wipe(stream.buffer);
  stream.buffer = std::move(larger);
  reserved_ += stream.buffer.capacity();
  return {};
}

void ChunkReader::drop(Stream &stream) {
  reserved_ -= stream.buffer.capacity();
  stream.buffer = ByteVector();
}

void ChunkReader::wipe_message() {
  if (current_ < streams_.size() && streams_[current_].received == 0) wipe(streams_[current_].buffer);
}

void ChunkReader::release() {
  for (Stream &stream : streams_)
    if (stream.received == 0) drop(stream);
}

// `payload`: the last of the message's bytes. A message that came in one piece is handed on where it stands.
Result<ChunkReader::Taken> ChunkReader::finish(Stream &stream, size_t taken, Bytes payload) {
  if (stream.received != 0) {
    TRY(keep(stream, payload));
    payload = stream.buffer;
  }
  stream.received = 0;
  stream.under_way = false;
  if (stream.type == MessageType::SetChunkSize) {
    TRY(on_chunk_size(payload));
  } else if (stream.type == MessageType::Abort) {
    TRY(on_abort(payload));
  } else {
    return Taken{taken, Message{stream.type, stream.stream, stream.timestamp, payload}};
  }
  return Taken{taken, std::nullopt};
}

Result<void> ChunkReader::on_chunk_size(Bytes payload) {
  if (payload.size() < 4) return Error{"Set Chunk Size is incomplete"};
  uint32_t size = load_be32(payload.data());
  if (size == 0 || size > kMaxChunkBytes) return Error{fmt::format("invalid chunk size {}", size)};
  chunk_size_ = size;
  return {};
}

Result<void> ChunkReader::on_abort(Bytes payload) {
  if (payload.size() < 4) return Error{"Abort is incomplete"};
  size_t current = current_;
  Stream *stream = find(load_be32(payload.data()));
  current_ = current;
  if (stream == nullptr) return {};
  stream->received = 0;
  stream->under_way = false;
  return {};
}

} // namespace sluice::rtmp
