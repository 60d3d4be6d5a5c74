#include "ipc/ring/ring_writer.h"
#include "ipc/shm/memfd.h"
#include "workers/rtsp/datagram_plan.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

media::StreamDescription description() {
  media::StreamDescription d;
  d.tracks.push_back({.kind = media::MediaKind::Video,
                      .codec = media::Codec::H264,
                      .payload_type = 96,
                      .clock_rate = 90000,
                      .channels = 0,
                      .encoding = "H264",
                      .fmtp = ""});
  d.tracks.push_back({.kind = media::MediaKind::Audio,
                      .codec = media::Codec::Opus,
                      .payload_type = 97,
                      .clock_rate = 48000,
                      .channels = 2,
                      .encoding = "opus",
                      .fmtp = ""});
  return d;
}

class DatagramPlanTest : public ::testing::Test {
protected:
  void SetUp() override {
    fd_ = std::move(*shm::create_memfd("ring", ring::ring_bytes(ring::kMinDataCapacity)));
    mapping_ = std::move(*shm::Mapping::map_ring(fd_.get(), shm::Access::ReadWrite));
    writer_.emplace(std::move(*ring::RingWriter::create(
        mapping_.writable(), {.stream = 7, .generation = 0, .ring_index = 0, .description = description()})));
    generation_ = std::move(*Generation::map(fd_.get()));
  }

  void append(uint8_t track, size_t bytes, uint16_t flags = 0) {
    ByteVector packet(bytes, static_cast<uint8_t>(count_++));
    ASSERT_TRUE(writer_->append({.track = track, .flags = flags, .pts_ns = 0, .dts_ns = 0, .arrival_ns = 1}, packet));
    writer_->commit(0);
  }

  DatagramPlans &plans() { return DatagramPlans::of(*generation_); }

  Fd fd_;
  shm::Mapping mapping_;
  std::optional<ring::RingWriter> writer_;
  std::unique_ptr<Generation> generation_;
  int count_ = 0;
};

TEST_F(DatagramPlanTest, JoinsEqualPacketsAndAShorterLastOne) {
  for (size_t bytes : {1400, 1400, 1400, 300}) append(0, bytes);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  ASSERT_EQ(plan.batches.size(), 1u);
  EXPECT_EQ(plan.batches[0].parts, 4u);
  EXPECT_EQ(plan.batches[0].segment, 1400);
  EXPECT_EQ(plan.batches[0].bytes, 4500u);
  EXPECT_EQ(plan.end, 4u);
}

TEST_F(DatagramPlanTest, BeginsAnewAfterAShorterOrBeforeALongerPacket) {
  for (size_t bytes : {1400, 300, 300, 1400}) append(0, bytes);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  ASSERT_EQ(plan.batches.size(), 3u);
  EXPECT_EQ(plan.batches[0].parts, 2u);
  EXPECT_EQ(plan.batches[1].parts, 1u);
  EXPECT_EQ(plan.batches[2].parts, 1u);
}

TEST_F(DatagramPlanTest, KeepsTracksAndReportsApartButNotEachOthersRuns) {
  append(0, 1000);
  append(1, 200);
  append(0, 1000);
  append(0, 28, ring::kRtcp);
  append(0, 1000);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  ASSERT_EQ(plan.batches.size(), 3u);
  EXPECT_EQ(plan.batches[0].parts, 3u); // video
  EXPECT_TRUE(plan.batches[1].rtcp);
  EXPECT_EQ(plan.batches[2].track, 1);
}

TEST_F(DatagramPlanTest, PartsAreThePacketsWithoutFrameHeaders) {
  append(0, 700);
  append(0, 700);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  ASSERT_EQ(plan.parts.size(), 2u);
  for (size_t i = 0; i < 2; i++) {
    Bytes part(static_cast<const uint8_t *>(plan.parts[i].iov_base), plan.parts[i].iov_len);
    EXPECT_EQ(ByteVector(part.begin(), part.end()), ByteVector(700, static_cast<uint8_t>(i)));
  }
}

TEST_F(DatagramPlanTest, LeavesOutWhatFitsNoDatagramAndCountsIt) {
  append(0, 1472);
  append(0, 1473);
  append(0, 1472);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  EXPECT_EQ(plan.oversized, 1u);
  ASSERT_EQ(plan.batches.size(), 1u);
  EXPECT_EQ(plan.batches[0].parts, 2u);
  EXPECT_EQ(plan.end, 3u);
}

TEST_F(DatagramPlanTest, BatchesStayWithinOneSegmentedSend) {
  for (int i = 0; i < 100; i++) append(0, 1472);
  const DatagramPlan &plan = plans().from(*generation_, 0);
  size_t parts = 0;
  for (const DatagramBatch &batch : plan.batches) {
    EXPECT_LE(batch.parts, 64u);
    EXPECT_LE(batch.bytes, 65507u);
    parts += batch.parts;
  }
  EXPECT_EQ(parts, 100u);
}

} // namespace
} // namespace sluice::rtsp
