// The steady state allocates nothing: counted by operators new of this test program.

#include "common/rtp/depacketizer.h"
#include "common/rtp/packetizer.h"
#include "common/rtp/track_receiver.h"
#include "tests/unit/rtp/make_packet.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<size_t> allocations = 0;
}

// Not inlined: the compiler would see free() on what new gave, and warn.
[[gnu::noinline]] void *operator new(size_t size) {
  allocations++;
  if (void *memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void *memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void *memory, size_t) noexcept {
  std::free(memory);
}

namespace sluice::rtp {
namespace {

struct Counter final : TrackReceiver::Sink {
  void on_packet(Bytes, const PacketFacts &) override { packets++; }
  size_t packets = 0;
};

size_t allocations_of(bool over_udp, size_t picture_size) {
  media::Track track{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", ""};
  TrackReceiver receiver(track, over_udp);
  Counter counter;
  ByteVector sps = make_packet(0, 0, false, "6764000aacd94426c044000003000400000300c83c489658");
  ByteVector pps = make_packet(0, 0, false, "68ebe3cb22c0");
  ByteVector picture = make_packet(0, 0, true, filled("65", picture_size));
  picture.push_back(1); // padding
  picture[0] |= 0x20;
  uint16_t sequence = 0;
  size_t before = 0;
  for (uint32_t i = 0; i < 1000; i++) {
    if (i == 100) before = allocations;
    for (ByteVector *packet : {&sps, &pps, &picture}) {
      uint16_t swapped = static_cast<uint16_t>(i < 2 ? sequence : sequence ^ 1); // each pair in the wrong order
      store_be16(packet->data() + 2, swapped);
      store_be32(packet->data() + 4, i * 3000);
      EXPECT_TRUE(receiver.on_rtp(*packet, i * 33 * kMillisecond, 0, counter));
      sequence++;
    }
  }
  EXPECT_GE(counter.packets, 2990u);
  return allocations - before;
}

TEST(TrackReceiver, AllocatesNothingPerPacket) {
  EXPECT_GT(allocations.load(), 0u);
  EXPECT_EQ(allocations_of(true, 1000), 0u);
  EXPECT_EQ(allocations_of(false, 1000), 0u);
  EXPECT_EQ(allocations_of(false, 30000), 0u); // re-packetised
}

// From the packetizer into the depacketizer.
struct Loop final : PacketSink, Depacketizer::Sink {
  explicit Loop(const media::Track &track) : depacketizer(Depacketizer::create(track).value()) {}
  void on_packet(Bytes packet, const PacketFacts &facts) override {
    depacketizer.push(packet, {facts.pts_ns, facts.dts_ns, facts.first_of_access_unit, facts.random_access}, *this);
  }
  void on_access_unit(const AccessUnit &) override { units++; }
  void on_configuration(const media::ParameterSets &) override {}
  Depacketizer depacketizer;
  size_t units = 0;
};

size_t allocations_there_and_back(const media::Track &track, const char *start, size_t size) {
  Packetizer packetizer = Packetizer::create(track, {}).value();
  Loop loop(track);
  ByteVector large = filled(start, size), small = filled(start, 50);
  Bytes units[] = {small, large, small};
  size_t before = 0;
  for (int i = 0; i < 1000; i++) {
    if (i == 100) before = allocations;
    EXPECT_TRUE(packetizer.push({.units = units, .pts_ns = i * kMillisecond, .dts_ns = i * kMillisecond}, loop));
  }
  EXPECT_GE(loop.units, 1000u);
  return allocations - before;
}

TEST(PacketizerAndBack, AllocatesNothingPerPacket) {
  media::Track h264{media::MediaKind::Video, media::Codec::H264, 96, 90000, 0, "H264", ""};
  media::Track aac{media::MediaKind::Audio,
                   media::Codec::Aac,
                   97,
                   48000,
                   2,
                   "mpeg4-generic",
                   "sizelength=13; indexlength=3; indexdeltalength=3; config=1190"};
  EXPECT_EQ(allocations_there_and_back(h264, "41", 30000), 0u);
  EXPECT_EQ(allocations_there_and_back(aac, "21", 4000), 0u);
}

} // namespace
} // namespace sluice::rtp
