#include "ipc/control/codec.h"

#include <array>
#include <utility>

namespace sluice::control {
namespace {

using Decode = bool (*)(Decoder &, Message &);

template <size_t I> bool decode_alternative(Decoder &decoder, Message &message) {
  decoder(message.emplace<I>());
  return decoder.complete();
}

template <size_t... I> constexpr auto make_decoders(std::index_sequence<I...>) {
  return std::array<Decode, sizeof...(I)>{&decode_alternative<I>...};
}

constexpr auto kDecoders = make_decoders(std::make_index_sequence<std::variant_size_v<Message>>());

constexpr std::array<const char *, std::variant_size_v<Message>> kNames = {"Hello",
                                                                           "LogLine",
                                                                           "Connected",
                                                                           "Closed",
                                                                           "Authorize",
                                                                           "Mux",
                                                                           "MuxerReady",
                                                                           "MuxerEnded",
                                                                           "MuxerUsed",
                                                                           "Describe",
                                                                           "Admit",
                                                                           "Publish",
                                                                           "Record",
                                                                           "PublisherPaused",
                                                                           "Read",
                                                                           "Claim",
                                                                           "JoinMulticast",
                                                                           "SourceReady",
                                                                           "SourceFailed",
                                                                           "SourceMoved",
                                                                           "Playing",
                                                                           "ReaderPaused",
                                                                           "Release",
                                                                           "Pong",
                                                                           "RingTooSmall",
                                                                           "DescriptionChanged",
                                                                           "StrayDatagram",
                                                                           "HeardAll",
                                                                           "HandOver",
                                                                           "Welcome",
                                                                           "Settings",
                                                                           "Certificate",
                                                                           "Drain",
                                                                           "StreamSettings",
                                                                           "Described",
                                                                           "Redirected",
                                                                           "Refused",
                                                                           "Admitted",
                                                                           "PublishGranted",
                                                                           "Recorded",
                                                                           "Claimed",
                                                                           "ReadGranted",
                                                                           "MulticastGranted",
                                                                           "SendMulticast",
                                                                           "StopMulticast",
                                                                           "StartSource",
                                                                           "StopSource",
                                                                           "StartMuxer",
                                                                           "StopMuxer",
                                                                           "MuxerGranted",
                                                                           "MuxerWithdrawn",
                                                                           "ForgetVerdicts",
                                                                           "StrayOffer",
                                                                           "RingReplaced",
                                                                           "RingKept",
                                                                           "StreamEnded",
                                                                           "Ping",
                                                                           "Kick",
                                                                           "Shutdown"};
static_assert(kNames.back() != nullptr);

// What the visitors can't see: descriptions that are well-formed but make no sense.
bool makes_sense(const Message &message) {
  if (const auto *publish = std::get_if<Publish>(&message)) return media::is_valid(publish->description);
  if (const auto *changed = std::get_if<DescriptionChanged>(&message)) return media::is_valid(changed->description);
  if (const auto *ready = std::get_if<SourceReady>(&message)) return media::is_valid(ready->description);
  if (const auto *described = std::get_if<Described>(&message)) return media::is_valid(described->description);
  return true;
}

} // namespace

ByteVector encode(const Message &message) {
  Encoder encoder(may_hold_secrets(message) ? kMaxMessageBytes : 256);
  encoder(static_cast<uint8_t>(message.index()));
  std::visit([&](const auto &alternative) { encoder(alternative); }, message);
  return encoder.take();
}

Result<Message> decode_message(Bytes input) {
  if (input.empty()) return Error{"empty control message"};
  if (input.size() > kMaxMessageBytes) return Error{"control message too large"};
  size_t kind = input[0];
  if (kind >= kDecoders.size()) return Error{"unknown control message " + std::to_string(kind)};
  Decoder decoder(input.subspan(1));
  Message message;
  if (!kDecoders[kind](decoder, message) || !makes_sense(message))
    return Error{std::string("malformed control message ") + kNames[kind]};
  return message;
}

const char *name_of(const Message &message) {
  return kNames[message.index()];
}

} // namespace sluice::control
