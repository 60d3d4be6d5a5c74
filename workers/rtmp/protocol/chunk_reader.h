// The chunk stream of RTMP, read (section 5.3): chunks of up to 16 chunk streams become messages. Set Chunk Size and
// Abort are handled here and reported to nobody.
//   chunk  = basic-header message-header [extended-timestamp(4)] data
//   basic  = format(2 bits) id(6 bits); id 0: one byte more, + 64; id 1: two more, little-endian, + 64
//   format 0: timestamp(3) length(3) type(1) stream(4, little-endian); 1: delta(3) length(3) type(1); 2: delta(3); 3: -
//
// Memory: half-received messages take at most kMaxBufferedBytes together, and grow as their bytes arrive, never by what
// a header announces. A chunk stream keeps its buffer; one larger than kKeptBytes goes when a message comes that does
// not need it.
#pragma once

#include "common/base/result.h"
#include "workers/rtmp/protocol/message.h"

#include <optional>

namespace sluice::rtmp {

constexpr size_t kMaxChunkStreams = 16;
constexpr uint32_t kDefaultChunkBytes = 128;
constexpr size_t kMaxBufferedBytes = 8 * 1024 * 1024;
constexpr size_t kKeptBytes = 256 * 1024;

class ChunkReader {
public:
  struct Taken {
    size_t bytes = 0; // of the input; 0: more are needed. At most 18 are ever waited for
    std::optional<Message> message;
  };

  // Takes what the input begins with, at most to the end of one message, be it in part. The message's payload is
  // valid until the next call or the input goes. Error: the stream can't be read any further.
  Result<Taken> next(Bytes input);
  // Gives buffers of complete messages back.
  void release();
  // The message that was just taken is wiped here: a command may hold credentials.
  void wipe_message();

  uint32_t chunk_size() const { return chunk_size_; }

private:
  struct Stream {
    uint32_t id = 0;
    uint32_t timestamp = 0; // of the message
    uint32_t delta = 0;     // of a next message that has no header
    uint32_t field = 0;     // as the last header had it: an extended timestamp is repeated by format 3
    bool extended = false;
    MessageType type = MessageType::SetChunkSize;
    uint32_t stream = 0;
    uint32_t length = 0;
    uint32_t received = 0; // of the message that is under way; in `buffer`
    bool under_way = false;
    ByteVector buffer;
  };
  struct Header {
    size_t bytes = 0;
    uint8_t format = 0;
    uint32_t id = 0;
  };

  static std::optional<Header> basic_header(Bytes input);
  Stream *find(uint32_t id);
  Result<size_t> begin_chunk(Bytes input);
  Result<void> read_message_header(Stream &stream, uint8_t format, Bytes fields, uint32_t timestamp);
  static std::optional<size_t> repeated_timestamp(const Stream &stream, Bytes rest);
  Result<void> keep(Stream &stream, Bytes payload);
  void drop(Stream &stream);
  Result<void> make_room(Stream &stream, size_t bytes);
  Result<Taken> finish(Stream &stream, size_t taken, Bytes payload);
  Result<void> on_chunk_size(Bytes payload);
  Result<void> on_abort(Bytes payload);

  uint32_t chunk_size_ = kDefaultChunkBytes;
  uint32_t chunk_left_ = 0; // payload bytes of the chunk under way that are still to come
  bool in_chunk_ = false;
  size_t current_ = 0;  // index of the chunk's stream; of the last one otherwise
  size_t reserved_ = 0; // bytes of all buffers
  std::vector<Stream> streams_;
};

} // namespace sluice::rtmp
