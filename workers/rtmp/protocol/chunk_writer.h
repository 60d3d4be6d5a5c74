// The chunk stream of RTMP, written (section 5.3): messages of connections, and those of media that many readers share.
//
// A reader's media: each message is written once for all with a header of format 1, whose timestamp is the difference
// to the message before on the same chunk stream; that way its bytes are the same for everybody. A reader's first
// message on a chunk stream, at its start or after what it missed, gets a header of its own (chunk_header()) before
// the shared body, whose bytes body_bytes() counts.
#pragma once

#include "workers/rtmp/protocol/message.h"

namespace sluice::rtmp {

constexpr uint32_t kSentChunkBytes = 65536; // the chunk size that we announce
constexpr uint32_t kControlChunkStream = 2, kCommandChunkStream = 3, kAudioChunkStream = 4, kStatusChunkStream = 5,
                   kVideoChunkStream = 6;
constexpr size_t kMaxChunkHeaderBytes = 3 + 11 + 4;

struct ChunkHeader {
  uint8_t format = 0;        // 0 or 1
  uint32_t chunk_stream = 0; // 2..65599
  MessageType type = MessageType::Audio;
  uint32_t stream = 0;    // of format 0 only: message stream
  uint32_t timestamp = 0; // format 0: the message's, milliseconds; format 1: since the message before
  uint32_t length = 0;    // of the whole message, below 2^24
};

// Bytes of a header, and of a message behind its header: payload with the headers of its further chunks.
size_t header_bytes(const ChunkHeader &header);
size_t body_bytes(const ChunkHeader &header, uint32_t chunk_size = kSentChunkBytes);

// Writes the header at the front of `out`, which has header_bytes() of room. The bytes written.
size_t write_chunk_header(MutableBytes out, const ChunkHeader &header);

// Writes one message into memory that has room for all of it: header_bytes() + body_bytes().
class MessageWriter {
public:
  MessageWriter(MutableBytes out, const ChunkHeader &header, uint32_t chunk_size = kSentChunkBytes);

  // The payload, in any pieces; all of them together are header.length bytes.
  void append(Bytes piece);
  // All of the payload was written. Its bytes with all headers are the front of `out`.
  bool complete() const { return left_ == 0; }
  size_t bytes() const { return written_; }
  size_t header_bytes() const { return header_bytes_; }

private:
  MutableBytes out_;
  ChunkHeader header_;
  uint32_t chunk_size_, chunk_left_, left_;
  size_t written_ = 0, header_bytes_ = 0;
};

// Appends a whole message with a header of format 0.
void append_message(ByteVector &out, uint32_t chunk_stream, const Message &message,
                    uint32_t chunk_size = kSentChunkBytes);

} // namespace sluice::rtmp
