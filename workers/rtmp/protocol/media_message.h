// What a peer sends as media, as both machines (machine.h, client_machine.h) hand it to their owner.
#pragma once

#include "common/base/result.h"
#include "workers/rtmp/protocol/message.h"

#include <optional>

namespace sluice::rtmp {

struct MediaMessage {
  MessageType type = MessageType::Audio; // Audio, Video or DataAmf0
  int64_t timestamp_ms = 0;              // beyond 32 bits where the peer's wraps; otherwise whatever the peer says
  Bytes payload;                         // of DataAmf0: values of AMF0, the first one a handler's name ("onMetaData")
};

// One that is kept.
struct HeldMessage {
  MessageType type = MessageType::Audio;
  int64_t timestamp_ms = 0;
  ByteVector payload;

  explicit HeldMessage(const MediaMessage &message)
      : type(message.type), timestamp_ms(message.timestamp_ms),
        payload(message.payload.begin(), message.payload.end()) {}
  MediaMessage message() const { return {.type = type, .timestamp_ms = timestamp_ms, .payload = payload}; }
};

class MediaSink {
public:
  // Valid during the call. Error: the connection can't go on.
  virtual Result<void> on_media(const MediaMessage &message) = 0;

protected:
  ~MediaSink() = default;
};

// Hands on a message of type Audio, Video, DataAmf0, DataAmf3 or Aggregate; others are none of its business.
class MediaInput {
public:
  Result<void> on_message(const Message &message, MediaSink &sink);

private:
  Result<void> on_single(const Message &message, MediaSink &sink);

  // The nearest time that is `timestamp` modulo 2^32.
  int64_t unwrapped(uint32_t timestamp) const;

  std::optional<int64_t> last_ms_; // of audio or video; data is often sent with timestamp 0
};

} // namespace sluice::rtmp
