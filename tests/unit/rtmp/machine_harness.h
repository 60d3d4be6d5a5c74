// A ServerMachine and what it does, as text, for tests that play its client.
#pragma once

#include "tests/unit/rtmp/chunks.h"
#include "workers/rtmp/protocol/amf0.h"
#include "workers/rtmp/protocol/machine.h"

#include <gmock/gmock.h>

namespace sluice::rtmp {

// "3", "\"text\"", "{a: 1}", "[1, 2]"
inline std::string text_of(const AmfValue &value) {
  std::string text;
  switch (value.type) {
  case AmfType::Number:
    return std::to_string(static_cast<int64_t>(value.number));
  case AmfType::Boolean:
    return value.truth ? "true" : "false";
  case AmfType::Null:
    return "null";
  case AmfType::String:
    return '"' + value.text + '"';
  case AmfType::Object:
  case AmfType::EcmaArray:
    for (const AmfProperty &property : value.properties)
      text += (text.empty() ? "" : ", ") + property.name + ": " + text_of(property.value);
    return "{" + text + "}";
  case AmfType::StrictArray:
    for (const AmfValue &item : value.items) text += (text.empty() ? "" : ", ") + text_of(item);
    return "[" + text + "]";
  default:
    return "undefined";
  }
}

// "onStatus/1 0 null {code: …}" for commands, "5 2500000" for control, otherwise as of the chunk stream.
inline std::string text_of_sent(const Message &message) {
  if (message.type == MessageType::CommandAmf0 || message.type == MessageType::CommandAmf3) {
    Command command = *read_command(message);
    std::string text = (message.type == MessageType::CommandAmf3 ? "AMF3 " : "") + command.name + "/" +
                       std::to_string(message.stream) + " " + text_of(AmfValue(command.transaction));
    for (const AmfValue &argument : command.arguments) text += " " + text_of(argument);
    return text;
  }
  if (message.type == MessageType::UserControl) {
    UserControl control = *parse_user_control(message.payload);
    return "event " + std::to_string(static_cast<int>(control.event)) + " " + std::to_string(control.value);
  }
  if (message.type < MessageType::Audio)
    return std::to_string(static_cast<int>(message.type)) + " " +
           std::to_string(*parse_control_number(message.payload));
  return text_of(message);
}

// What a machine sends, taken apart.
class SentMessages {
public:
  std::vector<std::string> take(ByteVector &out) {
    std::vector<std::string> messages;
    bytes_ += out.size();
    for (Bytes rest = out; !rest.empty();) {
      auto taken = reader_.next(rest);
      EXPECT_TRUE(taken);
      if (!taken) break;
      if (taken->message) messages.push_back(text_of_sent(*taken->message));
      rest = rest.subspan(taken->bytes);
      if (taken->bytes == 0) ADD_FAILURE() << "an incomplete message was sent";
      if (taken->bytes == 0) break;
    }
    out.clear();
    return messages;
  }

private:
  ChunkReader reader_;
  size_t bytes_ = 0;
};

struct MachineHarness final : MediaSink {
  explicit MachineHarness(ServerOptions options = {}) : machine(std::move(options)) {}

  // --- events ---

  void shake_hands() {
    receive(ByteVector(1 + 2 * kHandshakeBytes, kRtmpVersion));
    EXPECT_EQ(out.size(), 1 + 2 * kHandshakeBytes);
    out.clear();
  }
  void connect(const std::string &app = "live", const std::string &tc_url = "rtmp://host/live") {
    shake_hands();
    command("connect", 1, {AmfValue::object({{"app", app}, {"tcUrl", tc_url}})});
    EXPECT_EQ(error, "");
    sent.clear();
  }
  void command(const std::string &name, double transaction, AmfValues arguments, uint32_t stream = 0) {
    ByteVector bytes;
    put_command(bytes, 3, stream, {name, transaction, std::move(arguments)}, kDefaultChunkBytes);
    receive(bytes);
  }
  void message(const Message &message) {
    ByteVector bytes;
    append_message(bytes, 4, message, kDefaultChunkBytes);
    receive(bytes);
  }
  void publish(const std::string &name = "cam", uint32_t stream = 1) {
    command("publish", 5, {AmfValue::null(), name, "live"}, stream);
  }
  void play(const std::string &name = "cam", uint32_t stream = 1) {
    command("play", 5, {AmfValue::null(), name, -2000.0}, stream);
  }
  void receive(const ByteVector &bytes) {
    input.insert(input.end(), bytes.begin(), bytes.end());
    size_t step = bytes_at_once == 0 ? input.size() : bytes_at_once, seen = std::min(step, input.size());
    while (error.empty()) {
      ByteVector piece(input.begin(), input.begin() + static_cast<ptrdiff_t>(seen));
      auto taken = machine.on_input(piece, *this, effects, out);
      if (!taken) error = taken.error().message;
      for (ServerEffect &effect : std::exchange(effects, {})) std::visit([this](auto &which) { note(which); }, effect);
      if (!taken) break;
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(*taken));
      seen -= *taken;
      if (*taken != 0) continue;
      if (seen == input.size()) break;
      seen = std::min(seen + step, input.size());
    }
    take();
  }
  void accept_publish() {
    machine.accept_publish(out);
    take();
  }
  void accept_play() {
    machine.accept_play(out);
    take();
  }
  void refuse(Refusal refusal, std::string_view description) {
    machine.refuse(refusal, description, out);
    take();
  }

  // --- effects ---

  Result<void> on_media(const MediaMessage &message) override {
    std::string payload(as_text(message.payload));
    if (payload.size() > 16) payload = "*" + std::to_string(payload.size());
    media.push_back(std::to_string(static_cast<int>(message.type)) + "@" + std::to_string(message.timestamp_ms) + " " +
                    payload);
    return {};
  }
  void note(const server::PublishRequested &request) {
    done.push_back("publish " + request.path + " ? " + request.query + " at " + request.app_url);
  }
  void note(const server::PlayRequested &request) {
    done.push_back("play " + request.path + " ? " + request.query + " at " + request.app_url);
  }
  void note(const server::PauseChanged &change) { done.push_back(change.paused ? "pause" : "unpause"); }
  void note(const server::Finished &) { done.push_back("finished"); }
  void take() {
    if (out.size() >= 1 + 2 * kHandshakeBytes) return; // the handshake's
    for (std::string &text : sent_messages.take(out)) sent.push_back(std::move(text));
  }

  ServerMachine machine;
  ServerEffects effects;
  ByteVector input, out;
  SentMessages sent_messages;
  size_t bytes_at_once = 0; // 0: all there are
  std::vector<std::string> sent, done, media;
  std::string error;
};

} // namespace sluice::rtmp
