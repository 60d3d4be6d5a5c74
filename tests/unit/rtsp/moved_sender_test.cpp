#include "workers/rtsp/moved_sender.h"
#include "workers/rtsp/server.h"
#include "workers/rtsp/stray_datagrams.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

using Track = MovedSender::Track;

control::StrayOffer offer(bool alone, uint32_t ssrc, uint8_t payload_type, bool rtcp = false, int port = 5000) {
  return {1, alone, {"1.2.3.4:" + std::to_string(port), rtcp, payload_type, ssrc}};
}

TEST(MovedSender, FollowsAKnownSsrcAtOnce) {
  MovedSender sender;
  const std::vector<Track> tracks{{96, 11}, {97, 22}, {98, std::nullopt}};
  EXPECT_EQ(sender.on_offer(offer(false, 11, 96), tracks, 0), 0u);
  EXPECT_EQ(sender.on_offer(offer(false, 22, 97), tracks, 0), 2u);
  EXPECT_EQ(sender.on_offer(offer(false, 22, 0, true), tracks, 0), 3u);
  EXPECT_FALSE(sender.on_offer(offer(false, 33, 96), tracks, 0));
  for (int i = 0; i < MovedSender::kMaxMoves; i++) sender.on_moved();
  EXPECT_FALSE(sender.on_offer(offer(false, 11, 96), tracks, 0));
}

TEST(MovedSender, StaysWhereItIsHeard) {
  MovedSender sender;
  Nanoseconds heard = 100 * kSecond, report_heard = 100 * kSecond;
  const std::vector<Track> tracks{{96, 11, heard, report_heard}};
  EXPECT_FALSE(sender.on_offer(offer(false, 11, 96), tracks, heard));
  EXPECT_FALSE(sender.on_offer(offer(false, 11, 96), tracks, heard + MovedSender::kSilence - 1));
  EXPECT_EQ(sender.on_offer(offer(false, 11, 96), tracks, heard + MovedSender::kSilence), 0u);
  EXPECT_FALSE(sender.on_offer(offer(false, 11, 0, true), tracks, heard + MovedSender::kSilence));
  EXPECT_EQ(sender.on_offer(offer(false, 11, 0, true), tracks, report_heard + MovedSender::kReportSilence), 1u);
}

TEST(MovedSender, TakesForASilentTrackWhatFitsItAlone) {
  const Nanoseconds later = MovedSender::kPatience;
  auto after_a_while = [&](std::vector<Track> tracks, const control::StrayOffer &stray) {
    MovedSender sender;
    EXPECT_FALSE(sender.on_offer(stray, tracks, 0)); // whoever knows its SSRC comes first
    EXPECT_FALSE(sender.on_offer(stray, tracks, later - 1));
    return sender.on_offer(stray, tracks, later);
  };
  EXPECT_EQ(after_a_while({{96, {}}, {97, {}}}, offer(true, 5, 97)), 2u);
  EXPECT_EQ(after_a_while({{96, 11}, {97, {}}}, offer(true, 5, 97)), 2u);
  EXPECT_FALSE(after_a_while({{96, {}}, {97, {}}}, offer(false, 5, 97))); // another session is silent, too
  EXPECT_FALSE(after_a_while({{96, {}}, {97, {}}}, offer(true, 5, 98)));  // of no track
  EXPECT_FALSE(after_a_while({{96, {}}, {96, {}}}, offer(true, 5, 96)));  // of which?
  EXPECT_FALSE(after_a_while({{96, 11}}, offer(true, 5, 96)));            // it has its own
  EXPECT_FALSE(after_a_while({{96, {}}}, offer(true, 5, 96, true)));      // a report tells no payload type
  MovedSender sender;
  const std::vector<Track> silent{{96, std::nullopt}};
  EXPECT_FALSE(sender.on_offer(offer(true, 5, 96, false, 5000), silent, 0));
  EXPECT_FALSE(sender.on_offer(offer(true, 5, 96, false, 5002), silent, later)); // each address for itself
  EXPECT_EQ(sender.on_offer(offer(true, 5, 96, false, 5002), silent, 2 * later), 0u);
}

TEST(StrayDatagrams, TellWhatTheirFirstBytesSay) {
  const uint8_t rtp[12] = {0x80, 0xe0, 0, 1, 0, 0, 0, 2, 0x12, 0x34, 0x56, 0x78};
  auto stray = StrayDatagrams::parse(rtp, false);
  ASSERT_TRUE(stray);
  EXPECT_EQ(stray->payload_type, 96);
  EXPECT_EQ(stray->ssrc, 0x12345678u);
  EXPECT_FALSE(StrayDatagrams::parse(Bytes(rtp, 11), false));
  EXPECT_FALSE(StrayDatagrams::parse(rtp, true)); // not RTCP
  const uint8_t rtcp[8] = {0x80, 200, 0, 1, 0x12, 0x34, 0x56, 0x78};
  EXPECT_EQ(StrayDatagrams::parse(rtcp, true)->ssrc, 0x12345678u);
  EXPECT_FALSE(StrayDatagrams::parse(Bytes(rtcp, 7), true));
  const uint8_t other[12] = {0x40, 0x60};
  EXPECT_FALSE(StrayDatagrams::parse(other, false));
}

struct NoSupervisor final : worker::Supervisor {
  void send(const control::Message &, std::span<const int>) override {}
  bool congested() const override { return false; }
};

TEST(StrayDatagrams, AreToldOfNowAndThenOnly) {
  NoSupervisor supervisor;
  StrayDatagrams strays(supervisor);
  auto address = [](int port) { return *loop::SocketAddress::parse("1.2.3.4:" + std::to_string(port)); };
  EXPECT_TRUE(strays.is_due(address(1), kSecond));
  EXPECT_FALSE(strays.is_due(address(1), kSecond + StrayDatagrams::kInterval - 1));
  EXPECT_TRUE(strays.is_due(address(1), kSecond + StrayDatagrams::kInterval));
  int told = 0;
  for (int port = 1; port < 10000; port++) told += strays.is_due(address(port), 10 * kSecond);
  EXPECT_EQ(told, StrayDatagrams::kReportsPerSecond);
  EXPECT_TRUE(strays.is_due(address(9999), 11 * kSecond));
}

} // namespace
} // namespace sluice::rtsp
