#include "workers/rtmp/protocol/chunk_writer.h"

#include "common/base/check.h"

#include <algorithm>

namespace sluice::rtmp {
namespace {

constexpr uint32_t kExtended = 0xffffff;
constexpr uint32_t kFirstLongId = 64, kFirstLongerId = 64 + 256;

size_t basic_header_bytes(uint32_t chunk_stream) {
  return chunk_stream < kFirstLongId ? 1 : chunk_stream < kFirstLongerId ? 2 : 3;
}

size_t extended_bytes(const ChunkHeader &header) {
  return header.timestamp >= kExtended ? 4 : 0;
}

void store_be24(uint8_t *p, uint32_t value) {
  p[0] = static_cast<uint8_t>(value >> 16);
  store_be16(p + 1, static_cast<uint16_t>(value));
}

size_t write_basic_header(uint8_t *p, uint8_t format, uint32_t chunk_stream) {
  uint8_t bits = static_cast<uint8_t>(format << 6);
  size_t bytes = basic_header_bytes(chunk_stream);
  if (bytes == 1) {
    p[0] = static_cast<uint8_t>(bits | chunk_stream);
    return bytes;
  }
  uint32_t rest = chunk_stream - kFirstLongId;
  p[0] = bytes == 2 ? bits : bits | 1;
  p[1] = static_cast<uint8_t>(rest);
  if (bytes == 3) p[2] = static_cast<uint8_t>(rest >> 8);
  return bytes;
}

// Between the chunks of one message.
size_t write_continuation(MutableBytes out, const ChunkHeader &header) {
  size_t bytes = write_basic_header(out.data(), 3, header.chunk_stream);
  if (extended_bytes(header) == 0) return bytes;
  store_be32(out.data() + bytes, header.timestamp);
  return bytes + 4;
}

} // namespace

size_t header_bytes(const ChunkHeader &header) {
  return basic_header_bytes(header.chunk_stream) + (header.format == 0 ? 11 : 7) + extended_bytes(header);
}

size_t body_bytes(const ChunkHeader &header, uint32_t chunk_size) {
  size_t continuations = header.length == 0 ? 0 : (header.length - 1) / chunk_size;
  return header.length + continuations * (basic_header_bytes(header.chunk_stream) + extended_bytes(header));
}

size_t write_chunk_header(MutableBytes out, const ChunkHeader &header) {
  CHECK(header.format <= 1 && header.chunk_stream >= 2 && header.chunk_stream < kFirstLongId + 65536);
  CHECK(header.length <= 0xffffff && out.size() >= header_bytes(header));
  uint8_t *p = out.data() + write_basic_header(out.data(), header.format, header.chunk_stream);
  store_be24(p, std::min(header.timestamp, kExtended));
  store_be24(p + 3, header.length);
  p[6] = static_cast<uint8_t>(header.type);
  p += 7;
  if (header.format == 0) {
    for (int i = 0; i < 4; i++) *p++ = static_cast<uint8_t>(header.stream >> (8 * i));
  }
  if (extended_bytes(header) != 0) store_be32(p, header.timestamp);
  return header_bytes(header);
}

MessageWriter::MessageWriter(MutableBytes out, const ChunkHeader &header, uint32_t chunk_size)
    : out_(out), header_(header), chunk_size_(chunk_size), chunk_left_(chunk_size), left_(header.length) {
  CHECK(chunk_size > 0 && out.size() >= rtmp::header_bytes(header) + body_bytes(header, chunk_size));
  written_ = header_bytes_ = write_chunk_header(out, header);
}

void MessageWriter::append(Bytes piece) {
  CHECK(piece.size() <= left_);
  while (!piece.empty()) {
    if (chunk_left_ == 0) {
      written_ += write_continuation(out_.subspan(written_), header_);
      chunk_left_ = chunk_size_;
    }
    size_t count = std::min<size_t>(piece.size(), chunk_left_);
    std::copy_n(piece.begin(), count, out_.begin() + static_cast<ptrdiff_t>(written_));
    written_ += count;
    chunk_left_ -= static_cast<uint32_t>(count);
    left_ -= static_cast<uint32_t>(count);
    piece = piece.subspan(count);
  }
}

void append_message(ByteVector &out, uint32_t chunk_stream, const Message &message, uint32_t chunk_size) {
  ChunkHeader header{.format = 0,
                     .chunk_stream = chunk_stream,
                     .type = message.type,
                     .stream = message.stream,
                     .timestamp = message.timestamp,
                     .length = static_cast<uint32_t>(message.payload.size())};
  size_t before = out.size();
  out.resize(before + header_bytes(header) + body_bytes(header, chunk_size));
  MessageWriter writer(MutableBytes(out).subspan(before), header, chunk_size);
  writer.append(message.payload);
}

} // namespace sluice::rtmp
