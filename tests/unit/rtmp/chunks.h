// Chunk streams as text for tests, and what becomes of them.
#pragma once

#include "workers/rtmp/protocol/chunk_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sluice::rtmp {

// "06 00000a …" as bytes; white space is for the eye.
inline ByteVector hex(std::string_view text) {
  ByteVector bytes;
  std::string digits;
  for (char c : text) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

inline ByteVector operator+(ByteVector left, const ByteVector &right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline ByteVector bytes_of(char letter, size_t count) {
  return ByteVector(count, static_cast<uint8_t>(letter));
}

struct ReadMessages {
  std::vector<std::string> messages; // "type@timestamp/stream payload"
  std::string error;
  size_t unread = 0;
};

// Long payloads are shortened to "x*300".
inline std::string text_of(const Message &message) {
  std::string payload(as_text(message.payload));
  if (payload.size() > 16) payload = payload.substr(0, 1) + "*" + std::to_string(payload.size());
  return std::to_string(static_cast<int>(message.type)) + "@" + std::to_string(message.timestamp) + "/" +
         std::to_string(message.stream) + " " + payload;
}

// `step`: so many bytes come at once; 0: all.
inline ReadMessages read_chunks(ChunkReader &reader, Bytes bytes, size_t step = 0) {
  ReadMessages result;
  size_t seen = step == 0 ? bytes.size() : std::min(step, bytes.size());
  while (true) {
    ByteVector piece(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(seen));
    auto taken = reader.next(piece);
    if (!taken) {
      result.error = taken.error().message;
      return result;
    }
    if (taken->message) result.messages.push_back(text_of(*taken->message));
    bytes = bytes.subspan(taken->bytes);
    seen -= taken->bytes;
    if (taken->bytes != 0) continue;
    result.unread = bytes.size();
    if (seen == bytes.size()) return result;
    seen = std::min(seen + step, bytes.size());
  }
}

// The same however the bytes come.
inline ReadMessages read_chunks(const ByteVector &bytes) {
  ChunkReader reader;
  ReadMessages whole = read_chunks(reader, bytes);
  for (size_t step : {1, 3, 50}) {
    ChunkReader again;
    ReadMessages pieces = read_chunks(again, bytes, step);
    EXPECT_EQ(pieces.messages, whole.messages) << "in pieces of " << step;
    EXPECT_EQ(pieces.error, whole.error);
  }
  return whole;
}

} // namespace sluice::rtmp
