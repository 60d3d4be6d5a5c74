// A chunk stream in pieces, whose size the first byte says: the messages are the same as in one piece, and each
// survives being written and read again. Aggregates are taken apart.
#include "common/base/check.h"
#include "workers/rtmp/protocol/aggregate.h"
#include "workers/rtmp/protocol/chunk_reader.h"
#include "workers/rtmp/protocol/chunk_writer.h"
#include "workers/rtmp/protocol/messages.h"

#include <algorithm>

namespace {

using namespace sluice;
using namespace sluice::rtmp;

struct Kept {
  Message message;
  ByteVector payload;
  bool operator==(const Kept &other) const {
    return message.type == other.message.type && message.stream == other.message.stream &&
           message.timestamp == other.message.timestamp && payload == other.payload;
  }
};

void keep(std::vector<Kept> &messages, const Message &message) {
  messages.push_back({message, ByteVector(message.payload.begin(), message.payload.end())});
}

// Whether all could be read.
bool read(Bytes input, size_t step, std::vector<Kept> &messages) {
  ChunkReader reader;
  size_t seen = std::min(step, input.size());
  while (true) {
    ByteVector piece(input.begin(),
                     input.begin() + static_cast<ptrdiff_t>(seen)); // its end is the heap's: ASan sees it
    auto taken = reader.next(piece);
    if (!taken) return false;
    CHECK(taken->bytes <= seen);
    if (taken->message) keep(messages, *taken->message);
    input = input.subspan(taken->bytes);
    seen -= taken->bytes;
    if (taken->bytes != 0) continue;
    CHECK(seen <= 18 + 4); // a header is all that is waited for
    if (seen == input.size()) return true;
    seen = std::min(seen + step, input.size());
  }
}

void check_written(const Kept &kept, uint32_t chunk_size) {
  switch (kept.message.type) {
  case MessageType::SetChunkSize:
  case MessageType::Abort:
    return;
  default:
    break;
  }
  ByteVector out;
  uint8_t size_bytes[4];
  store_be32(size_bytes, chunk_size);
  append_message(out, 2, {.type = MessageType::SetChunkSize, .payload = size_bytes});
  Message message = kept.message;
  message.payload = kept.payload;
  append_message(out, 3 + message.timestamp % 400, message, chunk_size);
  std::vector<Kept> again;
  CHECK(read(out, out.size(), again) && again.size() == 1 && again[0] == kept);
}

void look_into(const Kept &kept) {
  Message message = kept.message;
  message.payload = kept.payload;
  AggregateParser parser(message);
  while (auto part = parser.next()) {
    if (!*part) break;
    CHECK((*part)->payload.size() <= message.payload.size());
  }
  (void)parse_user_control(message.payload);
  (void)parse_control_number(message.payload);
  (void)script_data(message);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 64 * 1024) return 0;
  Bytes input(data + 1, size - 1);
  std::vector<Kept> whole, pieces;
  bool whole_read = read(input, std::max<size_t>(input.size(), 1), whole);
  bool pieces_read = read(input, 1 + data[0] % 64, pieces);
  CHECK(whole_read == pieces_read && whole == pieces);
  for (const Kept &kept : whole) {
    check_written(kept, 1 + data[0]);
    look_into(kept);
  }
  return 0;
}
