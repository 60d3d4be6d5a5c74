#include "common/rtp/depacketizer.h"
#include "tests/unit/rtp/media_samples.h"

#include <gtest/gtest.h>

namespace sluice::rtp {
namespace {

using media::Codec;

Depacketizer make(const media::Track &track) {
  return Depacketizer::create(track).value();
}

// A packet with the next number.
class Feed {
public:
  explicit Feed(const media::Track &track) : depacketizer(make(track)) {}

  void push(const ByteVector &payload, bool first, bool marker, Nanoseconds time = 0) {
    ByteVector packet = make_packet(sequence++, static_cast<uint32_t>(time / kMillisecond), marker, payload);
    depacketizer.push(packet, {time, time, first, first}, units);
  }
  void push(const char *payload, bool first, bool marker, Nanoseconds time = 0) {
    push(hex(payload), first, marker, time);
  }
  std::vector<ByteVector> unit(size_t index) const { return units.all.at(index).units; }

  Depacketizer depacketizer;
  Units units;
  uint16_t sequence = 65533;
};

TEST(Depacketizer, H264WithoutMarkersComesWithTheNextUnit) {
  Feed feed(video(Codec::H264));
  feed.push("65aa", true, false);
  feed.push("65bb", false, false);
  EXPECT_TRUE(feed.units.all.empty());
  feed.push("41cc", true, true, kSecond);
  ASSERT_EQ(feed.units.all.size(), 2u);
  EXPECT_EQ(feed.unit(0), (std::vector<ByteVector>{hex("65aa"), hex("65bb")}));
  EXPECT_EQ(feed.unit(1), (std::vector<ByteVector>{hex("41cc")}));
}

TEST(Depacketizer, AMarkerBehindParameterSetsEndsNothing) {
  Feed feed(video(Codec::H264));
  std::string sps = kSampleSps;
  feed.push(sps.c_str(), true, true);
  feed.push("7805 68ebe3cb22", false, false); // malformed: the aggregated unit does not fit
  EXPECT_TRUE(feed.units.all.empty());
  feed.push(sps.c_str(), true, true, kSecond);
  feed.push("68ebe3cb22c0", false, true, kSecond);
  feed.push("65aa", false, true, kSecond);
  ASSERT_EQ(feed.units.all.size(), 1u);
  EXPECT_EQ(feed.unit(0).size(), 3u);
  EXPECT_TRUE(feed.units.all[0].after_loss);
  EXPECT_EQ(feed.depacketizer.dropped_units(), 1u);
}

TEST(Depacketizer, ChangedParameterSetsAreTold) {
  media::Track track = video(Codec::H264);
  media::ParameterSets sets{.vps = {}, .sps = hex(kSampleSps), .pps = hex(kSamplePps)};
  track.fmtp = media::write_h264_fmtp(sets);
  Feed feed(track);
  EXPECT_EQ(feed.depacketizer.sets(), sets);
  auto key = [&](const char *pps, Nanoseconds time) {
    feed.push(kSampleSps, true, false, time);
    feed.push(pps, false, false, time);
    feed.push("65aa", false, true, time);
  };
  key(kSamplePps, 0);
  EXPECT_TRUE(feed.units.configurations.empty());
  key("68ebe3cb22c1", kSecond);
  ASSERT_EQ(feed.units.configurations.size(), 1u);
  EXPECT_EQ(feed.units.configurations[0].pps, hex("68ebe3cb22c1"));
  EXPECT_EQ(feed.units.configurations[0].sps, sets.sps);
  feed.push("6742", true, false, 2 * kSecond); // no SPS that is understood
  feed.push("65aa", false, true, 2 * kSecond);
  EXPECT_EQ(feed.units.configurations.size(), 1u);
}

TEST(Depacketizer, Av1ElementsAreJoined) {
  Feed feed(video(Codec::Av1));
  feed.push("68 0d 0a0b000000043d07c402f80040 30aa", true, false); // Y, W = 2, N; the header with a size field
  feed.push("90 bbcc", false, true);                               // Z, W = 1
  ASSERT_EQ(feed.units.all.size(), 1u);
  EXPECT_EQ(feed.unit(0), (std::vector<ByteVector>{hex("0a0b000000043d07c402f80040"), hex("30aabbcc")}));
  ASSERT_EQ(feed.units.configurations.size(), 1u);
  EXPECT_EQ(feed.units.configurations[0].sps, hex("08000000043d07c402f80040")); // without
  feed.push("00 02 1000 03 30aabb", true, true, kSecond); // W = 0; the temporal delimiter is left out
  EXPECT_EQ(feed.unit(1), (std::vector<ByteVector>{hex("30aabb")}));
  feed.push("90 bbcc", true, true, 2 * kSecond); // continues what was not begun
  EXPECT_EQ(feed.units.all.size(), 2u);
  EXPECT_EQ(feed.depacketizer.dropped_units(), 1u);
}

TEST(Depacketizer, SeveralFramesOfAPacketHaveTimesOfTheirOwn) {
  Feed feed(aac());
  feed.push("0020 0010 0018 aabb ccddee", true, true);
  ASSERT_EQ(feed.units.all.size(), 2u);
  EXPECT_EQ(feed.unit(0), (std::vector<ByteVector>{hex("aabb")}));
  EXPECT_EQ(feed.unit(1), (std::vector<ByteVector>{hex("ccddee")}));
  EXPECT_EQ(feed.units.all[1].pts_ns, 1024 * kSecond / 48000);
  Feed low(aac("sizelength=6; indexlength=2; indexdeltalength=2"));
  low.push("0010 08 0c aabb ccddee", true, true);
  EXPECT_EQ(low.units.all.size(), 2u);
}

TEST(Depacketizer, LatmFramesAreUnwrapped) {
  media::Track track = audio(Codec::AacLatm);
  track.fmtp = "profile-level-id=1; cpresent=0; config=400023203fc0";
  Feed feed(track);
  feed.push("03 aabbcc", true, true);
  EXPECT_EQ(feed.unit(0), (std::vector<ByteVector>{hex("aabbcc")}));
  ByteVector large = filled("ff05", 262);
  feed.push(ByteVector(large.begin(), large.begin() + 100), true, false, kSecond);
  feed.push(ByteVector(large.begin() + 100, large.end()), false, true, kSecond);
  EXPECT_EQ(feed.unit(1), (std::vector<ByteVector>{ByteVector(large.begin() + 2, large.end())}));
  feed.push("05 aabbcc", true, true, 2 * kSecond); // does not fit
  EXPECT_EQ(feed.units.all.size(), 2u);
  track.fmtp = "cpresent=1";
  EXPECT_FALSE(Depacketizer::create(track));
}

TEST(Depacketizer, VpxDescriptorsAreTakenOff) {
  Feed vp8(video(Codec::Vp8));
  vp8.push("90 80 8123 00aa", true, false);
  vp8.push("80 80 8123 bb", false, true);
  EXPECT_EQ(vp8.unit(0), (std::vector<ByteVector>{hex("00aabb")}));
  Feed vp9(video(Codec::Vp9));
  vp9.push("8a 11 18 0140 00f0 01 00 82aa", true, false); // with a scalability structure: Y, G
  vp9.push("84 11 bb", false, true);
  EXPECT_EQ(vp9.unit(0), (std::vector<ByteVector>{hex("82aabb")}));
}

TEST(Depacketizer, IsBounded) {
  Feed feed(video(Codec::H264));
  ByteVector fragment = filled("7c85", 60000);
  feed.push(fragment, true, false);
  fragment[1] = 0x05;
  for (int i = 0; i < 80; i++) feed.push(fragment, false, false);
  feed.push("41aa", true, true, kSecond);
  ASSERT_EQ(feed.units.all.size(), 1u);
  EXPECT_EQ(feed.depacketizer.dropped_units(), 1u);
  for (size_t i = 0; i <= kMaxUnitsOfAccessUnit; i++) feed.push("41aa", i == 0, false, 2 * kSecond);
  feed.push("41aa", true, true, 3 * kSecond);
  EXPECT_EQ(feed.units.all.size(), 2u);
  EXPECT_EQ(feed.depacketizer.dropped_units(), 2u);
}

TEST(Depacketizer, AfterAResetNothingCountsAsLost) {
  Feed feed(video(Codec::H264));
  feed.push("41aa", true, false);
  feed.depacketizer.reset();
  feed.sequence = 100;
  feed.push("41bb", false, true); // the rest of a unit whose begin was skipped
  feed.push("65cc", true, true, kSecond);
  ASSERT_EQ(feed.units.all.size(), 1u);
  EXPECT_FALSE(feed.units.all[0].after_loss);
  EXPECT_EQ(feed.depacketizer.lost_packets(), 0u);
}

TEST(Depacketizer, RefusesWhatItCannotUnpack) {
  EXPECT_FALSE(Depacketizer::create(video(Codec::Jpeg)));
  EXPECT_FALSE(Depacketizer::create(audio(Codec::Aac)));
  EXPECT_FALSE(Depacketizer::create(aac("sizelength=13; indexlength=3; indexdeltalength=3; ctsdeltalength=4")));
}

} // namespace
} // namespace sluice::rtp
