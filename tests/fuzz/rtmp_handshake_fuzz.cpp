// Both sides of RTMP's handshake against a stranger's bytes: never more is taken than there is, and what is answered
// has the size it must have.
#include "common/base/check.h"
#include "workers/rtmp/protocol/handshake.h"

namespace {

using namespace sluice;
using namespace sluice::rtmp;

template <class Handshake> void run(Handshake handshake, Bytes input, size_t answer_bytes) {
  ByteVector out;
  size_t total = 0;
  while (!handshake.done()) {
    auto taken = handshake.on_input(input, out);
    if (!taken || *taken == 0) break;
    CHECK(*taken <= input.size());
    input = input.subspan(*taken);
    total += *taken;
  }
  CHECK(out.size() == (total == 0 ? 0 : answer_bytes));
  CHECK(!handshake.done() || total == 1 + 2 * kHandshakeBytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Bytes input(data, size);
  run(ServerHandshake(1, 2), input, 1 + 2 * kHandshakeBytes);
  run(ClientHandshake(1, true), input, kHandshakeBytes);
  run(ClientHandshake(1, false), input, kHandshakeBytes);
  if (size < kHandshakeBytes) return 0;
  for (HandshakeSide side : {HandshakeSide::Client, HandshakeSide::Server})
    if (auto place = find_handshake_digest(input.first(kHandshakeBytes), side)) CHECK(*place + 32 <= kHandshakeBytes);
  return 0;
}
