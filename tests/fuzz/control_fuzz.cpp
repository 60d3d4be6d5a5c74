// What a worker may send: whatever is accepted encodes to the same bytes again.

#include "ipc/control/codec.h"

#include <algorithm>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sluice::Bytes input(data, size);
  auto message = sluice::control::decode_message(input);
  if (!message) return 0;
  sluice::ByteVector again = sluice::control::encode(*message);
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) std::abort();
  return 0;
}
