// AMF0 and AMF3: whatever can be decoded is within the bounds and survives being encoded and decoded again. The first
// byte chooses the encoding.
#include "common/base/check.h"
#include "workers/rtmp/protocol/amf0.h"
#include "workers/rtmp/protocol/amf3.h"
#include "workers/rtmp/protocol/messages.h"
#include "workers/rtmp/protocol/metadata.h"

#include <algorithm>

namespace {

using namespace sluice;
using namespace sluice::rtmp;

size_t depth_of(const AmfValue &value) {
  size_t deepest = 0;
  for (const AmfProperty &property : value.properties) deepest = std::max(deepest, depth_of(property.value));
  for (const AmfValue &item : value.items) deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

// One that is not a number is not equal to itself, so bytes are compared.
void check_amf0(const AmfValue &value) {
  CHECK(depth_of(value) <= kMaxAmfDepth);
  ByteVector once, twice;
  encode_amf0(once, value);
  Amf0Decoder decoder(once);
  auto again = decoder.next();
  if (!again) return; // byte arrays and long names are written as something else, which may be too much
  CHECK(decoder.at_end());
  encode_amf0(twice, *again);
  CHECK(once == twice);
}

void check_amf3(const AmfValue &value) {
  ByteVector once, twice;
  encode_amf3(once, value);
  AmfBudget budget;
  Amf3Decoder decoder(once, budget);
  AmfValue again;
  if (!decoder.value(again, 0)) return;
  CHECK(decoder.rest().empty());
  encode_amf3(twice, again);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  Bytes input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    if (auto metadata = parse_metadata(input); metadata && *metadata) CHECK(!write_metadata(**metadata).empty());
    auto values = decode_amf0(input);
    if (!values) return 0;
    CHECK(values->size() <= kMaxAmfValues);
    for (const AmfValue &value : *values) {
      check_amf0(value);
      check_amf3(value);
    }
    (void)read_command(
        {.type = data[0] % 4 == 0 ? MessageType::CommandAmf0 : MessageType::CommandAmf3, .payload = input});
  } else {
    AmfBudget budget;
    Amf3Decoder decoder(input, budget);
    AmfValue value;
    while (!decoder.rest().empty() && decoder.value(value, 0)) {
      check_amf0(value);
      check_amf3(value);
    }
  }
  return 0;
}
