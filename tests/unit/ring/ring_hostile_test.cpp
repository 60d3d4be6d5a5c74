// Rings whose memory says what no writer of ours would write.

#include "tests/unit/ring/hostile_reading.h"
#include "tests/unit/ring/ring_test_support.h"

#include <cstdlib>
#include <memory>
#include <random>

namespace sluice::ring {
namespace {

void fill(RingWriter &writer, int entries) {
  for (int i = 0; i < entries; i++) {
    ASSERT_TRUE(append_next(writer, i % 100 == 0 ? kFirstOfAccessUnit | kRandomAccess : 0));
    writer.commit(0);
  }
}

TEST(RingReader, RefusesAHeaderThatDoesNotMatchTheMapping) {
  uint64_t RingHeader::*const fields[] = {&RingHeader::magic, &RingHeader::layout_version, &RingHeader::header_bytes,
                                          &RingHeader::slot_count, &RingHeader::data_capacity};
  for (auto field : fields) {
    for (uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 20, uint64_t{1} << 63, UINT64_MAX}) {
      TestRing ring;
      if (ring.header().*field == value) continue;
      ring.header().*field = value;
      EXPECT_FALSE(RingReader::create(ring.read_only.bytes()));
      EXPECT_FALSE(RingWriter::resume(ring.writable.writable()));
    }
  }
  TestRing ring;
  EXPECT_FALSE(RingReader::create(ring.read_only.bytes().first(1000)));
  EXPECT_FALSE(RingReader::create({}));
  EXPECT_FALSE(RingReader::create(ring.read_only.bytes().first(ring_bytes(kMinDataCapacity))));
  ring.header().ring_index = kMaxRings;
  EXPECT_FALSE(RingReader::create(ring.read_only.bytes()));
}

// The memory is exactly as large as a mapping; ASan sees every byte beyond, the checks of spans see the rest.
TEST(RingReader, NeverLeavesItsMemoryWhateverItHolds) {
  TestRing ring;
  fill(ring.writer, 1500);
  Bytes good = ring.read_only.bytes();
  std::mt19937_64 random(7);
  const uint64_t interesting[] = {
      0, 1, 2, 1499, 1500, 1501, UINT32_MAX, 1u << 31, 512 << 10, uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 4};
  struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> memory(static_cast<uint8_t *>(std::aligned_alloc(64, good.size())));
  for (int round = 0; round < 300; round++) {
    if (round % 10 == 0) std::memcpy(memory.get(), good.data(), good.size());
    auto *words = reinterpret_cast<uint64_t *>(memory.get());
    for (int i = 0; i < 20; i++) {
      uint64_t value = random() % 2 == 0 ? interesting[random() % std::size(interesting)] : random() % 4000;
      words[8 + random() % 90] = value;                                                // header, tracks
      words[kHeaderBytes / 8 + random() % (slot_count(kMinDataCapacity) * 8)] = value; // slots
    }
    read_everything({memory.get(), good.size()});
  }
}

TEST(RingWriter, ResumesOnlyARingThatHoldsTogether) {
  std::mt19937_64 random(9);
  int refused = 0, resumed = 0;
  for (int round = 0; round < 200; round++) {
    TestRing ring;
    fill(ring.writer, 600);
    uint64_t victim = random() % 4;
    uint64_t value = random() % 3 == 0 ? random() : random() % 1000;
    if (victim == 0) ring.header().head = value;
    if (victim == 1) ring.header().oldest = value;
    if (victim == 2) ring.header().reserved = value;
    if (victim == 3)
      reinterpret_cast<uint64_t *>(&ring.slot(random() % slot_count(kMinDataCapacity)))[random() % 3] = value;
    Result<RingWriter> writer = RingWriter::resume(ring.writable.writable());
    writer ? resumed++ : refused++;
    if (!writer) continue;
    for (int i = 0; i < 3000; i++) {
      ASSERT_TRUE(append_next(*writer));
      writer->commit(0);
    }
    ByteVector buffer(kMaxEntryBytes);
    ASSERT_TRUE(equal(ring.reader.copy(writer->head() - 1, buffer).value(), entry_of(writer->head() - 1)));
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(resumed, 0);
}

TEST(RingReader, TakesNoDescriptionThatIsNotOne) {
  TestRing ring;
  DescriptionCopy &copy = ring.header().descriptions[ring.header().description_version % 2];
  uint64_t length = copy.length;
  for (uint64_t value : {uint64_t{0}, length - 1, length + 1, uint64_t{kMaxDescriptionBytes + 1}, UINT64_MAX}) {
    copy.length = value;
    EXPECT_FALSE(ring.reader.description());
  }
  copy.length = length;
  EXPECT_TRUE(ring.reader.description());
  copy.words[0] = UINT64_MAX;
  EXPECT_FALSE(ring.reader.description());
}

} // namespace
} // namespace sluice::ring
