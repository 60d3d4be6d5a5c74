// A server's bytes to the client's machine: it never takes more than there is, plays once there is media, and ends
// once. The first byte chooses the size of pieces, and whether the handshake is part of the input.
#include "common/base/check.h"
#include "workers/rtmp/protocol/client_machine.h"

#include <algorithm>

namespace {

using namespace sluice;
using namespace sluice::rtmp;

struct Owner final : MediaSink {
  Owner() : machine({.url = *parse_url("rtmp://u:p@host/app/stream")}) { machine.start(out); }

  Result<void> on_media(const MediaMessage &) override {
    CHECK(machine.playing());
    return {};
  }

  // Empty: it is over.
  std::optional<size_t> feed(Bytes input) {
    out.clear();
    auto taken = machine.on_input(input, *this, effects, out);
    CHECK(out.size() < 8192);
    if (!taken) return std::nullopt;
    CHECK(*taken <= input.size());
    for (ClientEffect &effect : std::exchange(effects, {})) {
      if (std::holds_alternative<client::Playing>(effect)) {
        CHECK(!std::exchange(began, true) && !ended);
        continue;
      }
      CHECK(!std::exchange(ended, true) && machine.over());
      if (std::holds_alternative<client::Ended>(effect)) CHECK(began);
      if (auto *failed = std::get_if<client::Failed>(&effect)) CHECK(!failed->reason.empty());
    }
    return *taken;
  }

  ClientMachine machine;
  ClientEffects effects;
  ByteVector out;
  bool began = false, ended = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  ByteVector bytes(data + 1, data + size);
  if (data[0] & 0x20) bytes.insert(bytes.begin(), 1 + 2 * kHandshakeBytes, kRtmpVersion);
  Bytes input = bytes;
  Owner owner;
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
  if (!owner.machine.over()) owner.machine.stop(owner.out);
  return 0;
}
