// RTMP's messages other than media: protocol control (section 5.4), user control (6.2, 7.1.7), commands (7.1.1) and
// data (7.1.2). Read from a Message, or appended to what is to be sent.
#pragma once

#include "workers/rtmp/protocol/amf_value.h"
#include "workers/rtmp/protocol/chunk_writer.h"

#include <optional>
#include <string>

namespace sluice::rtmp {

constexpr size_t kMaxCommandBytes = 256 * 1024;

enum class UserControlEvent : uint16_t {
  StreamBegin = 0,
  StreamEof = 1,
  StreamDry = 2,
  SetBufferLength = 3, // stream, milliseconds
  StreamIsRecorded = 4,
  PingRequest = 6,
  PingResponse = 7,
};

struct UserControl {
  UserControlEvent event = UserControlEvent::StreamBegin; // may be of a value not named above
  uint32_t value = 0;                                     // a stream, or a ping's timestamp
  uint32_t second = 0;                                    // of SetBufferLength
};

enum class BandwidthLimit : uint8_t { Hard = 0, Soft = 1, Dynamic = 2 };

struct Command {
  std::string name;
  double transaction = 0; // 0: no answer is expected
  AmfValues arguments;    // the command object first, which is null for most

  // Null where there are fewer.
  const AmfValue *argument(size_t index) const { return index < arguments.size() ? &arguments[index] : nullptr; }
};

// The one number of Acknowledgement, Window Acknowledgement Size, or Set Peer Bandwidth.
Result<uint32_t> parse_control_number(Bytes payload);
Result<UserControl> parse_user_control(Bytes payload);
// Of a message of type CommandAmf0 or CommandAmf3.
Result<Command> read_command(const Message &message);
// Of a message of type DataAmf0 or DataAmf3, as values of AMF0 whose first is the name of a handler ("onMetaData").
// What a publisher wraps in "@setDataFrame" is unwrapped. Empty: it names no handler, or "@clearDataFrame".
std::optional<Bytes> script_data(const Message &message);

void put_control_number(ByteVector &out, MessageType type, uint32_t number);
void put_peer_bandwidth(ByteVector &out, uint32_t bytes, BandwidthLimit limit);
void put_user_control(ByteVector &out, const UserControl &control);
// Of type CommandAmf0, or of CommandAmf3, whose values are of AMF0 as well, as long as none says otherwise.
void put_command(ByteVector &out, uint32_t chunk_stream, uint32_t stream, const Command &command,
                 uint32_t chunk_size = kSentChunkBytes, MessageType type = MessageType::CommandAmf0);

} // namespace sluice::rtmp
