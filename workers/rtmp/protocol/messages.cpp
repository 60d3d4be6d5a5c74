#include "workers/rtmp/protocol/messages.h"

#include "workers/rtmp/protocol/amf0.h"

#include <fmt/format.h>

namespace sluice::rtmp {
namespace {

constexpr uint8_t kAmf0StringMarker = 2;

// Of messages of AMF3 a byte tells the format of what follows; 0 is AMF0, which switches to AMF3 value by value.
Bytes amf0_part(Bytes payload, bool amf3) {
  return amf3 && !payload.empty() && payload[0] == 0 ? payload.subspan(1) : payload;
}

void put_control(ByteVector &out, MessageType type, Bytes payload) {
  append_message(out, kControlChunkStream, Message{.type = type, .payload = payload});
}

// The string that `values` begin with, and what is behind it; empty: they begin with none.
std::optional<std::string_view> first_string(Bytes values, Bytes &rest) {
  ByteReader reader(values);
  if (reader.u8() != kAmf0StringMarker) return std::nullopt;
  auto length = reader.u16();
  auto text = length ? reader.bytes(*length) : std::nullopt;
  if (!text) return std::nullopt;
  rest = reader.rest();
  return as_text(*text);
}

} // namespace

Result<uint32_t> parse_control_number(Bytes payload) {
  auto number = ByteReader(payload).u32();
  if (!number) return Error{"protocol control message is incomplete"};
  return *number;
}

Result<UserControl> parse_user_control(Bytes payload) {
  ByteReader reader(payload);
  auto event = reader.u16();
  if (!event) return Error{"user control message is incomplete"};
  UserControl control{.event = static_cast<UserControlEvent>(*event)};
  if (control.event > UserControlEvent::PingResponse) return control; // whatever it holds
  auto value = reader.u32();
  if (!value) return Error{"user control message is incomplete"};
  control.value = *value;
  if (control.event == UserControlEvent::SetBufferLength) control.second = reader.u32().value_or(0);
  return control;
}

Result<Command> read_command(const Message &message) {
  if (message.payload.size() > kMaxCommandBytes)
    return Error{fmt::format("command of {} bytes is too large", message.payload.size())};
  Amf0Decoder decoder(amf0_part(message.payload, message.type == MessageType::CommandAmf3));
  AmfValue name = TRY(decoder.next());
  if (name.type != AmfType::String) return Error{"command without a name"};
  Command command{.name = std::move(name.text), .arguments = {}};
  if (decoder.at_end()) return command;
  AmfValue transaction = TRY(decoder.next());
  if (transaction.type == AmfType::Number) command.transaction = transaction.number;
  while (!decoder.at_end()) command.arguments.push_back(TRY(decoder.next()));
  return command;
}

std::optional<Bytes> script_data(const Message &message) {
  Bytes values = amf0_part(message.payload, message.type == MessageType::DataAmf3), rest;
  auto name = first_string(values, rest);
  if (name == "@setDataFrame") {
    values = rest;
    name = first_string(values, rest);
  }
  if (!name || name == "@clearDataFrame") return std::nullopt;
  return values;
}

void put_control_number(ByteVector &out, MessageType type, uint32_t number) {
  uint8_t payload[4];
  store_be32(payload, number);
  put_control(out, type, payload);
}

void put_peer_bandwidth(ByteVector &out, uint32_t bytes, BandwidthLimit limit) {
  uint8_t payload[5];
  store_be32(payload, bytes);
  payload[4] = static_cast<uint8_t>(limit);
  put_control(out, MessageType::SetPeerBandwidth, payload);
}

void put_user_control(ByteVector &out, const UserControl &control) {
  uint8_t payload[10];
  store_be16(payload, static_cast<uint16_t>(control.event));
  store_be32(payload + 2, control.value);
  store_be32(payload + 6, control.second);
  put_control(out, MessageType::UserControl,
              Bytes(payload).first(control.event == UserControlEvent::SetBufferLength ? 10 : 6));
}

void put_command(ByteVector &out, uint32_t chunk_stream, uint32_t stream, const Command &command, uint32_t chunk_size,
                 MessageType type) {
  ByteVector payload;
  if (type == MessageType::CommandAmf3) payload.push_back(0);
  encode_amf0(payload, command.name);
  encode_amf0(payload, command.transaction);
  for (const AmfValue &argument : command.arguments) encode_amf0(payload, argument);
  append_message(out, chunk_stream, Message{.type = type, .stream = stream, .payload = payload}, chunk_size);
}

} // namespace sluice::rtmp
