// Gives a RingReader, and a RingWriter that resumes, a ring in whose memory some words were replaced: the input is a
// list of (offset in the memory, 32 bits; value, 64 bits), little-endian.

#include "ipc/ring/ring_writer.h"
#include "tests/unit/ring/hostile_reading.h"

#include <cstdlib>
#include <cstring>

namespace sluice::ring {
namespace {

constexpr size_t kBytes = mapping_bytes(kMinDataCapacity);
constexpr size_t kPatchBytes = 12;
constexpr size_t kMaxPatches = 256;

// A ring that has gone around twice.
uint8_t *make_ring() {
  auto *memory = static_cast<uint8_t *>(std::aligned_alloc(64, kBytes));
  std::memset(memory, 0, kBytes);
  media::Track track;
  track.clock_rate = 90000;
  Result<RingWriter> writer =
      RingWriter::create({memory, kBytes}, {.stream = 1, .description = media::StreamDescription{{track}}});
  CHECK(writer.has_value());
  ByteVector packet(1000, 0x55);
  for (uint16_t i = 0; i < 1200; i++) {
    uint16_t flags = i % 100 == 0 ? kFirstOfAccessUnit | kRandomAccess : 0;
    CHECK(writer->append({0, flags, i, i, i}, packet));
    writer->commit(i);
  }
  return memory;
}

void run(Bytes input) {
  static uint8_t *const memory = make_ring();
  static const ByteVector good(memory, memory + kBytes);
  size_t patches = std::min(input.size() / kPatchBytes, kMaxPatches);
  auto offset_of = [&](size_t patch) {
    uint32_t offset = 0;
    std::memcpy(&offset, input.data() + patch * kPatchBytes, sizeof(offset));
    return offset % (kBytes / 8) * 8;
  };
  for (size_t i = 0; i < patches; i++) std::memcpy(memory + offset_of(i), input.data() + i * kPatchBytes + 4, 8);
  read_everything({memory, kBytes});
  if (Result<RingWriter> writer = RingWriter::resume({memory, kBytes}); writer.has_value()) {
    writer->wanted_bytes(0, kMaxDataCapacity);
    writer->would_overwrite_younger_than(0, 1, 5000);
    ByteVector packet(900);
    for (int i = 0; i < 20; i++) CHECK(writer->append({}, packet));
    writer->commit(0);
    CHECK(writer->input_position() == 0);
    std::memcpy(memory, good.data(), kBytes);
  }
  for (size_t i = 0; i < patches; i++) std::memcpy(memory + offset_of(i), good.data() + offset_of(i), 8);
}

} // namespace
} // namespace sluice::ring

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sluice::ring::run({data, size});
  return 0;
}
