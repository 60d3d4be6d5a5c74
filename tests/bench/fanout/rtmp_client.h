// A minimal RTMP client over loopback: blocking requests, one connection, one message stream. Enough to read and to
// publish; each wait is bounded by the 5 s timeout of the socket.
#pragma once

#include "tests/bench/fanout/socket.h"
#include "workers/rtmp/protocol/chunk_reader.h"
#include "workers/rtmp/protocol/messages.h"

#include <functional>
#include <string>

namespace sluice::fanout {

// Splits what a server sends, in any pieces, into messages.
class RtmpParser {
public:
  // `wire`: the message's bytes with its headers, as long as no other message comes between its chunks.
  using OnMessage = std::function<void(const rtmp::Message &message, Bytes wire)>;

  // False when the framing is broken; the parser must not be used any more.
  bool feed(Bytes input, const OnMessage &on_message);

private:
  rtmp::ChunkReader reader_;
  ByteVector partial_; // not taken yet, less than a header
  ByteVector wire_;    // of the message that is under way
};

// Whether a stream of this benchmark (30 pictures and 46.9 audio frames a second) has gaps: steps of its timestamps
// that are longer than two and a half frames. Where the media file begins anew one may be nearly two long.
struct TimestampCheck {
  uint64_t messages = 0;
  uint64_t lost = 0;
  uint64_t disordered = 0;

  void on_message(const rtmp::Message &message);

private:
  std::optional<uint32_t> last_ms_[2]; // audio, video
};

class RtmpClient {
public:
  // With a message stream, for play or publish.
  static Result<RtmpClient> open(uint16_t port);

  // The answer comes before the media, and is left to whoever feeds the parser next.
  Result<void> play(const std::string &path);
  // Until the server has agreed.
  Result<void> publish(const std::string &path);
  Result<void> send(Bytes bytes);

  int fd() const { return fd_.get(); }
  RtmpParser &parser() { return parser_; }
  uint32_t stream() const { return stream_; }

private:
  explicit RtmpClient(Fd fd) : fd_(std::move(fd)) {}
  Result<void> shake_hands();
  Result<void> request(uint32_t stream, rtmp::Command command);
  // The next command of this name; others are passed over. Error: "_error", or a status of level "error".
  Result<rtmp::Command> await(std::string_view name);

  Fd fd_;
  RtmpParser parser_;
  uint32_t stream_ = 0;
};

} // namespace sluice::fanout
