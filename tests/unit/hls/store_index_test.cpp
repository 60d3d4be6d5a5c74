#include "workers/hls/store_index.h"

#include <gtest/gtest.h>

namespace sluice::hls {
namespace {

// Three segments of two parts each, the last one unfinished, the first one no longer listed.
StoreIndex sample() {
  StoreIndex index;
  index.variant = Variant::LowLatency;
  index.codecs = "avc1.64001f";
  index.frame_rate_millihertz = 29'970;
  index.target_duration = kSecond;
  index.first_listed = 8;
  for (uint64_t i = 0; i < 3; i++) {
    StoredSegment &stored = index.segments.emplace_back();
    stored.segment.number = 7 + i;
    stored.segment.first_part = 100 + 2 * i;
    stored.segment.duration = kSecond;
    stored.segment.bytes = 20;
    stored.segment.finished = i < 2;
    stored.position = 1000 + 20 * i;
    for (uint64_t k = 0; k < 2; k++)
      index.parts.push_back({100 + 2 * i + k, {kSecond / 2, 10, k == 0}, 1000 + 20 * i + 10 * k});
  }
  index.sections.push_back({3, {500, 40}});
  index.resume = {1, 2, 3};
  return index;
}

TEST(StoreIndex, IsReadAsItWasWritten) {
  auto read = decode_index(encode(sample()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->codecs, "avc1.64001f");
  EXPECT_EQ(read->resume, (ByteVector{1, 2, 3}));
  EXPECT_EQ(read->find_segment(8)->position, 1020u);
  EXPECT_EQ(read->find_part(103)->position, 1030u);
  EXPECT_EQ(read->find_section(3)->place.bytes, 40u);
  for (uint64_t missing : {6u, 10u}) EXPECT_EQ(read->find_segment(missing), nullptr);
  for (uint64_t missing : {99u, 106u}) EXPECT_EQ(read->find_part(missing), nullptr);
  EXPECT_EQ(read->find_section(2), nullptr);
}

TEST(StoreIndex, PlaylistsTellListedSegmentsWithTheirParts) {
  Presentation told = sample().presentation(0xABC);
  EXPECT_EQ(told.id, "000000000abc");
  EXPECT_DOUBLE_EQ(told.frame_rate, 29.97);
  ASSERT_EQ(told.segments.size(), 2u);
  EXPECT_EQ(told.segments[0].number, 8u);
  EXPECT_EQ(told.segments[0].parts.size(), 2u);
  EXPECT_FALSE(told.segments[1].finished);
  EXPECT_EQ(told.segments[1].parts.size(), 2u);
}

TEST(StoreIndex, OnlyLowLatencyTellsWhatIsNotFinished) {
  StoreIndex index = sample();
  index.variant = Variant::Fmp4;
  Presentation told = index.presentation(1);
  ASSERT_EQ(told.segments.size(), 1u);
  EXPECT_TRUE(told.segments[0].parts.empty());
}

TEST(StoreIndex, DamageIsNoticed) {
  ByteVector whole = encode(sample());
  for (size_t size = 0; size < whole.size(); size++) EXPECT_FALSE(decode_index(Bytes(whole).first(size)).has_value());
  auto refused = [](auto change) {
    StoreIndex index = sample();
    change(index);
    return !decode_index(encode(index)).has_value();
  };
  EXPECT_TRUE(refused([](StoreIndex &i) { i.segments[1].segment.number++; }));
  EXPECT_TRUE(refused([](StoreIndex &i) { i.segments[0].segment.finished = false; }));
  EXPECT_TRUE(refused([](StoreIndex &i) { i.segments[0].segment.duration = -1; }));
  EXPECT_TRUE(refused([](StoreIndex &i) { i.parts[3].number = 7; }));
  EXPECT_TRUE(refused([](StoreIndex &i) { i.parts[3].part.duration = INT64_MAX; }));
  EXPECT_TRUE(refused([](StoreIndex &i) { i.target_duration = INT64_MAX; }));
}

} // namespace
} // namespace sluice::hls
