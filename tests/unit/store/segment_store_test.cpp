#include "ipc/shm/memfd.h"
#include "ipc/store/segment_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

namespace sluice::store {
namespace {

constexpr uint64_t kCapacity = 4 * kAlignment;

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

class SegmentStoreTest : public testing::Test {
protected:
  void SetUp() override {
    auto made = make({.id = 0xABCDEF012345, .store_index = 7, .capacity = kCapacity});
    ASSERT_TRUE(made.has_value());
    fd_ = std::move(*made);
  }

  StoreWriter writer() {
    auto opened = StoreWriter::open(fd_.get());
    EXPECT_TRUE(opened.has_value());
    return std::move(*opened);
  }
  StoreReader reader() {
    Fd read_only = std::move(*shm::reopen_read_only(fd_.get()));
    auto opened = StoreReader::open(read_only.get());
    EXPECT_TRUE(opened.has_value());
    return std::move(*opened);
  }
  uint64_t memory() const {
    struct stat facts {};
    ::fstat(fd_.get(), &facts);
    return static_cast<uint64_t>(facts.st_blocks) * 512;
  }

  Fd fd_;
};

TEST_F(SegmentStoreTest, TellsWhatItWasMadeWith) {
  StoreReader store = reader();
  EXPECT_EQ(store.id(), 0xABCDEF012345);
  EXPECT_EQ(store.store_index(), 7);
  EXPECT_EQ(store.capacity(), kCapacity);
  EXPECT_EQ(store.version(), 0u);
  ByteVector index;
  EXPECT_FALSE(store.read_index(index).has_value());
}

TEST_F(SegmentStoreTest, ReadersSeeWhatWasPublished) {
  StoreWriter to = writer();
  StoreReader from = reader();
  uint64_t position = *to.append(bytes_of("a segment"));
  EXPECT_FALSE(from.data(position, 9).has_value()) << "not published yet";
  ASSERT_TRUE(to.publish(bytes_of("first index")).has_value());
  ByteVector index;
  EXPECT_EQ(*from.read_index(index), 1u);
  EXPECT_EQ(as_text(index), "first index");
  EXPECT_EQ(as_text(*from.data(position, 9)), "a segment");
  EXPECT_FALSE(from.data(position, 10).has_value());
  ASSERT_TRUE(to.publish(bytes_of("second")).has_value());
  EXPECT_EQ(*from.read_index(index), 2u);
  EXPECT_EQ(as_text(index), "second");
}

TEST_F(SegmentStoreTest, AnObjectAtTheEndOfTheDataIsInOnePiece) {
  StoreWriter to = writer();
  ASSERT_TRUE(to.append(ByteVector(kCapacity - 3, 1)).has_value());
  ASSERT_TRUE(to.publish({}).has_value());
  to.let_go_before(kCapacity - 3);
  uint64_t position = *to.append(bytes_of("torn not"));
  ASSERT_TRUE(to.publish({}).has_value());
  EXPECT_EQ(as_text(*reader().data(position, 8)), "torn not");
}

TEST_F(SegmentStoreTest, AFullStoreTakesNothingUntilSomethingIsLetGo) {
  StoreWriter to = writer();
  ASSERT_TRUE(to.append(ByteVector(kCapacity, 1)).has_value());
  EXPECT_FALSE(to.append(bytes_of("x")).has_value());
  ASSERT_TRUE(to.publish({}).has_value());
  to.let_go_before(1);
  EXPECT_TRUE(to.append(bytes_of("x")).has_value());
}

TEST_F(SegmentStoreTest, WhatIsLetGoGivesItsMemoryBackAndIsNotIntact) {
  StoreWriter to = writer();
  StoreReader from = reader();
  uint64_t before = memory();
  for (int i = 0; i < 10; i++) { // several times round
    uint64_t position = *to.append(ByteVector(2 * kAlignment, 1));
    ASSERT_TRUE(to.publish({}).has_value());
    EXPECT_TRUE(from.intact(position));
    EXPECT_GE(memory(), before + kAlignment);
    to.let_go_before(position + 2 * kAlignment);
    EXPECT_FALSE(from.intact(position));
    EXPECT_FALSE(from.data(position, 1).has_value());
    EXPECT_LE(memory(), before + kAlignment);
  }
}

TEST_F(SegmentStoreTest, AnotherWriterGoesOnAfterTheLastPublication) {
  uint64_t published = 0;
  {
    StoreWriter first = writer();
    published = *first.append(bytes_of("kept"));
    ASSERT_TRUE(first.publish(bytes_of("index")).has_value());
    ASSERT_TRUE(first.append(bytes_of("lost")).has_value());
  }
  StoreWriter second = writer();
  uint64_t position = *second.append(bytes_of("next"));
  EXPECT_EQ(position, published + 4);
  second.forget_unpublished();
  EXPECT_EQ(second.end(), position);
  ByteVector index;
  EXPECT_EQ(*second.read_index(index), 1u);
  EXPECT_EQ(as_text(index), "index");
}

TEST_F(SegmentStoreTest, SubscribersAreABitEach) {
  auto mapping = shm::Mapping::map(fd_.get(), shm::Access::ReadWrite);
  ASSERT_TRUE(mapping.has_value());
  subscribe(mapping->writable(), 3);
  subscribe(mapping->writable(), 63);
  EXPECT_EQ(reader().subscribers(), uint64_t{1} << 63 | 8);
  unsubscribe(mapping->writable(), 3);
  EXPECT_EQ(reader().subscribers(), uint64_t{1} << 63);
}

TEST_F(SegmentStoreTest, DamagedMemoryIsRefused) {
  auto mapping = shm::Mapping::map(fd_.get(), shm::Access::ReadWrite);
  auto &header = *reinterpret_cast<StoreHeader *>(mapping->writable().data());
  header.version = 1;
  header.lengths[1] = kMaxIndexBytes + 1;
  ByteVector index;
  EXPECT_FALSE(reader().read_index(index).has_value());
  header.end = 100 * kCapacity; // and nothing let go
  EXPECT_FALSE(StoreWriter::open(fd_.get()).has_value());
  EXPECT_FALSE(reader().data(5, 1).has_value());
  header.data_capacity = kAlignment;
  EXPECT_FALSE(StoreReader::open(fd_.get()).has_value());
  Fd small = std::move(*shm::create_memfd("no store", kAlignment));
  EXPECT_FALSE(StoreReader::open(small.get()).has_value());
  EXPECT_FALSE(make({.id = 1, .store_index = 0, .capacity = kMaxDataCapacity + 1}).has_value());
  EXPECT_FALSE(make({.id = 1, .store_index = kMaxStores, .capacity = kCapacity}).has_value());
}

// Each index says what the data at its position must be.
TEST_F(SegmentStoreTest, AReaderNeverSeesHalfAnIndex) {
  constexpr uint64_t kPublications = 20'000;
  std::atomic<bool> done = false;
  std::thread thread([&] {
    StoreWriter to = writer();
    for (uint64_t i = 1; i <= kPublications; i++) {
      ByteVector index(8 * (1 + i % 50), static_cast<uint8_t>(i));
      ASSERT_TRUE(to.publish(index).has_value());
    }
    done = true;
  });
  StoreReader from = reader();
  ByteVector index;
  uint64_t seen = 0;
  while (!done || seen < kPublications) {
    auto version = from.read_index(index);
    if (!version) continue; // none yet, or too fast
    ASSERT_GE(*version, seen);
    seen = *version;
    ASSERT_EQ(index, ByteVector(8 * (1 + seen % 50), static_cast<uint8_t>(seen)));
  }
  thread.join();
}

} // namespace
} // namespace sluice::store
