// What RTMP carries ("Adobe's Real Time Messaging Protocol" 1.0, sections 5.4, 6, 7): messages of a type, on a message
// stream, with a timestamp.
#pragma once

#include "common/base/bytes.h"

namespace sluice::rtmp {

enum class MessageType : uint8_t {
  SetChunkSize = 1,
  Abort = 2,
  Acknowledgement = 3,
  UserControl = 4,
  WindowAckSize = 5,
  SetPeerBandwidth = 6,
  Audio = 8,
  Video = 9,
  DataAmf3 = 15,
  SharedObjectAmf3 = 16,
  CommandAmf3 = 17,
  DataAmf0 = 18,
  SharedObjectAmf0 = 19,
  CommandAmf0 = 20,
  Aggregate = 22,
};

constexpr size_t kMaxMessageBytes = 4 * 1024 * 1024;

struct Message {
  MessageType type = MessageType::SetChunkSize; // may be of a value not named above
  uint32_t stream = 0;                          // message stream; 0 = the connection itself
  uint32_t timestamp = 0;                       // milliseconds, modulo 2^32
  Bytes payload;                                // not owned
};

} // namespace sluice::rtmp
