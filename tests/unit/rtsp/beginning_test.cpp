#include "ipc/ring/ring_writer.h"
#include "ipc/shm/memfd.h"
#include "workers/base/stream.h"
#include "workers/rtsp/beginning.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

using worker::Generation;
using worker::Stream;

constexpr Nanoseconds kNow = 5000 * kSecond;
constexpr uint64_t kStream = 7;

media::StreamDescription description() {
  media::Track video, audio;
  video.kind = media::MediaKind::Video;
  video.codec = media::Codec::H264;
  video.clock_rate = 90000;
  audio.codec = media::Codec::Aac;
  audio.clock_rate = 48000;
  return {{video, audio}};
}

struct Ring {
  Ring(uint32_t generation, size_t capacity)
      : fd(std::move(*shm::create_memfd("ring", ring::ring_bytes(capacity)))),
        mapping(std::move(*shm::Mapping::map_ring(fd.get(), shm::Access::ReadWrite))) {
    ring::RingParameters parameters{
        .stream = kStream, .generation = generation, .ring_index = 0, .description = description()};
    if (generation == 0)
      writer.emplace(std::move(*ring::RingWriter::create(mapping.writable(), parameters)));
    else
      EXPECT_TRUE(ring::RingWriter::format(mapping.writable(), parameters).has_value());
  }

  uint64_t append(uint8_t track, uint16_t flags, uint16_t sequence, uint32_t time, size_t bytes = 100) {
    ByteVector packet(bytes);
    store_be16(&packet[2], sequence);
    store_be32(&packet[4], time);
    uint64_t entry = writer->head();
    EXPECT_TRUE(writer->append({track, flags, 0, 0, arrival += 10 * kMillisecond}, packet));
    writer->commit(0);
    return entry;
  }

  Fd fd;
  shm::Mapping mapping;
  std::optional<ring::RingWriter> writer;
  Nanoseconds arrival = kNow;
};

struct BeginningTest : testing::Test {
  Ring ring{0, ring::kMinDataCapacity};
  std::unique_ptr<Generation> generation = std::move(*Generation::map(ring.fd.get()));

  // As of a packet at that RTP time that came in at `arrival`.
  void set_clock(size_t track, uint16_t last_sequence, uint32_t time, Nanoseconds arrival) {
    ring.writer->set_track_state(track, {.has_traffic = true,
                                         .last_rtp_sequence = last_sequence,
                                         .last_rtp_timestamp = time,
                                         .has_clock = true,
                                         .clock_rtp_timestamp = time,
                                         .clock_arrival_ns = arrival});
  }
  Beginning beginning(uint64_t cursor, uint32_t wanted = 3) {
    return beginning_at(generation->reader(), cursor, wanted, description());
  }
};

TEST_F(BeginningTest, NamesTheFirstPacketsThatWillBeSentAndOneMoment) {
  ring.append(1, ring::kFirstOfAccessUnit, 500, 48000);
  uint64_t start = ring.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 10, 90000); // at kNow + 20 ms
  ring.append(1, 0, 501, 48000);                                                              // rest of a unit
  ring.append(0, 0, 11, 90000);
  ring.append(1, ring::kFirstOfAccessUnit, 502, 49024);
  ring.append(0, ring::kFirstOfAccessUnit, 12, 93000);
  set_clock(0, 12, 90000, kNow + 20 * kMillisecond);
  set_clock(1, 502, 49024, kNow + 50 * kMillisecond);
  Beginning result = beginning(start);
  EXPECT_EQ(result.instant, kNow + 20 * kMillisecond);
  ASSERT_EQ(result.tracks.size(), 2u);
  EXPECT_EQ(result.tracks[0].next_sequence, 10);
  EXPECT_EQ(result.tracks[0].rtp_time, 90000u);
  EXPECT_EQ(result.tracks[1].next_sequence, 502);
  EXPECT_EQ(result.tracks[1].rtp_time, 49024u - 48 * 30); // 30 ms before that packet
}

TEST_F(BeginningTest, GoesByTheClockOfSenderReportsNotByOneArrival) {
  uint64_t start = ring.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 10, 90000);
  set_clock(0, 40, 180000, kNow + 1100 * kMillisecond);
  EXPECT_EQ(beginning(start).instant, kNow + 100 * kMillisecond);
  set_clock(0, 40, 9'000'000, kNow); // the publisher's times have jumped since
  EXPECT_EQ(beginning(start).instant, kNow + 10 * kMillisecond);
}

TEST_F(BeginningTest, GoesByThePublishersClockWhereSenderReportsDo) {
  uint64_t start = ring.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 10, 90000); // at kNow + 10 ms
  ring.append(1, ring::kFirstOfAccessUnit, 500, 48000);
  ring::TrackState video{.has_traffic = true,
                         .has_publisher_clock = true,
                         .publisher_rtp_timestamp = 180000,
                         .publisher_ntp = uint64_t{1000} << 32,
                         .publisher_arrival_ns = kNow + 700 * kMillisecond}; // media come 310 ms late
  ring::TrackState audio = video;
  audio.publisher_rtp_timestamp = 96000;
  ring.writer->set_track_state(0, video);
  ring.writer->set_track_state(1, audio);
  Beginning result = beginning(start);
  EXPECT_EQ(result.instant, kNow - 300 * kMillisecond);
  ASSERT_EQ(result.tracks.size(), 2u);
  EXPECT_EQ(result.tracks[0].rtp_time, 90000u);
  EXPECT_EQ(result.tracks[1].rtp_time, 48000u);
}

TEST_F(BeginningTest, TracksThatBringNothingAreToldWithTheirNextPacket) {
  uint64_t start = ring.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 10, 90000);
  set_clock(0, 10, 90000, kNow);
  EXPECT_EQ(beginning(start).tracks.size(), 1u); // the other was never heard of
  set_clock(1, 600, 48000, kNow - kSecond);
  Beginning result = beginning(start);
  ASSERT_EQ(result.tracks.size(), 2u);
  EXPECT_EQ(result.tracks[1].next_sequence, 601);
  EXPECT_EQ(result.tracks[1].rtp_time, 96000u);
}

TEST_F(BeginningTest, IsOnlyAboutTracksThatAreRead) {
  uint64_t start = ring.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 10, 90000);
  ring.append(1, ring::kFirstOfAccessUnit, 500, 48000);
  set_clock(0, 10, 90000, kNow + 10 * kMillisecond);
  set_clock(1, 500, 48000, kNow + 20 * kMillisecond);
  Beginning result = beginning(start, 2);
  ASSERT_EQ(result.tracks.size(), 1u);
  EXPECT_EQ(result.tracks[0].track, 1u);
  EXPECT_EQ(result.tracks[0].next_sequence, 500);
  EXPECT_EQ(result.instant, kNow + 10 * kMillisecond); // the key frame's arrival: that track's clock is not its own
}

struct StartTest : testing::Test {
  Ring old{0, ring::kMinDataCapacity};
  Ring next{1, 2 * ring::kMinDataCapacity};
  std::unique_ptr<Stream> stream = std::move(*Stream::create(kStream, old.fd.get()));

  uint64_t key_frame() { return old.append(0, ring::kFirstOfAccessUnit | ring::kRandomAccess, 0, 0); }
  void replace(bool continued) {
    ASSERT_TRUE(stream->replace(next.fd.get()).has_value());
    if (!continued) return;
    next.writer.emplace(std::move(*ring::RingWriter::continue_from(next.mapping.writable(), *old.writer)));
  }
  uint32_t generation_of(const worker::Start &start) { return start.generation->reader().generation(); }
};

TEST_F(StartTest, IsTheNewestRandomAccessPointOrElseTheHead) {
  old.append(0, ring::kFirstOfAccessUnit, 0, 0);
  EXPECT_EQ(stream->start(true).cursor, 1u);
  EXPECT_FALSE(stream->start(true).random_access);
  key_frame();
  uint64_t newest = key_frame();
  old.append(0, ring::kFirstOfAccessUnit, 0, 0);
  EXPECT_EQ(stream->start(true).cursor, newest);
  EXPECT_TRUE(stream->start(true).random_access);
  EXPECT_EQ(stream->start(false).cursor, 4u);
  EXPECT_FALSE(stream->start(false).random_access);
}

TEST_F(StartTest, IsInTheGenerationThatHasIt) {
  uint64_t newest = key_frame();
  old.append(0, ring::kFirstOfAccessUnit, 0, 0);
  replace(false);
  EXPECT_EQ(generation_of(stream->start(true)), 0u); // the next one waits for its writer
  EXPECT_EQ(generation_of(stream->start(false)), 0u);
  EXPECT_EQ(stream->start(false).cursor, 2u);
  next.writer.emplace(std::move(*ring::RingWriter::continue_from(next.mapping.writable(), *old.writer)));
  EXPECT_EQ(generation_of(stream->start(true)), 1u);
  EXPECT_EQ(stream->start(true).cursor, newest);
  EXPECT_EQ(generation_of(stream->start(false)), 1u);
}

} // namespace
} // namespace sluice::rtsp
