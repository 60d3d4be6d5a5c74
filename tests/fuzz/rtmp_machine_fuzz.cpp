// A client's bytes to the server's machine: it never takes more than there is, asks only one thing at a time, answers
// in bounds, and hands on media only of who publishes. The first byte chooses the size of pieces, the answers, and
// whether the handshake is part of the input.
#include "common/base/check.h"
#include "workers/rtmp/protocol/machine.h"

#include <algorithm>

namespace {

using namespace sluice;
using namespace sluice::rtmp;

struct Owner final : MediaSink {
  explicit Owner(uint8_t byte) : choice(byte), machine({.rejection = (byte & 0x18) == 0x18 ? "full" : ""}) {}

  Result<void> on_media(const MediaMessage &message) override {
    CHECK(machine.publishing());
    CHECK(message.type == MessageType::Audio || message.type == MessageType::Video ||
          message.type == MessageType::DataAmf0);
    return {};
  }

  // Empty: it is over.
  std::optional<size_t> feed(Bytes input) {
    out.clear();
    auto taken = machine.on_input(input, *this, effects, out);
    CHECK(out.size() < 8192);
    if (!taken) return std::nullopt;
    CHECK(*taken <= input.size());
    CHECK(effects.size() <= 1);
    for (ServerEffect &effect : std::exchange(effects, {})) std::visit([this](auto &which) { on(which); }, effect);
    return *taken;
  }
  void on(const server::PublishRequested &request) {
    check(request.path);
    CHECK(machine.on_input({}, *this, effects, out) == size_t(0));
    if (choice & 8) return machine.refuse(Refusal::BadName, "no", out);
    machine.accept_publish(out);
    CHECK(machine.publishing() && !machine.playing());
  }
  void on(const server::PlayRequested &request) {
    check(request.path);
    if (choice & 8) return machine.refuse(Refusal::StreamNotFound, "no", out);
    machine.accept_play(out);
    CHECK(machine.playing() && !machine.publishing());
    if (choice & 16) machine.end_play(out);
  }
  void on(const server::PauseChanged &) { CHECK(machine.playing()); }
  void on(const server::Finished &) { CHECK(!machine.playing() && !machine.publishing()); }
  static void check(const std::string &path) { CHECK(!path.starts_with('/') && !path.ends_with('/')); }

  uint8_t choice;
  ServerMachine machine;
  ServerEffects effects;
  ByteVector out;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  ByteVector bytes(data + 1, data + size);
  if (data[0] & 0x20) bytes.insert(bytes.begin(), 1 + 2 * kHandshakeBytes, kRtmpVersion);
  Bytes input = bytes;
  Owner owner(data[0]);
  constexpr size_t kSteps[] = {1u << 20, 1, 7, 128, 1, 3, 1000, 4096};
  size_t step = kSteps[data[0] & 7], seen = std::min(step, input.size());
  if (data[0] & 0x20) seen = std::min(std::max(step, 2 * kHandshakeBytes), input.size());
  while (auto taken = owner.feed(input.first(seen))) {
    input = input.subspan(*taken);
    seen -= *taken;
    if (*taken != 0) continue;
    if (seen == input.size()) break;
    seen = std::min(seen + step, input.size());
  }
  return 0;
}
