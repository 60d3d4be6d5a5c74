// A source from StartSource to its end, against servers that follow a script.

#include "tests/unit/rtp/make_packet.h"
#include "tests/unit/rtsp/source_harness.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Peer = ScriptedServer::Peer;

constexpr std::string_view kSdp = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n";

ByteVector packet(uint16_t sequence, uint32_t timestamp = 0, uint32_t ssrc = 0x1234) {
  return rtp::make_packet(sequence, timestamp, false, ByteVector{1, 2, 3}, ssrc, 0);
}

control::StartSource start_of(const ScriptedServer &server, control::SourceTransport transport,
                              const std::string &userinfo = "") {
  return {.source = 1,
          .path = "cam",
          .url = server.url(userinfo),
          .addresses = {"127.0.0.1:" + std::to_string(server.port())},
          .transport = transport};
}

// OPTIONS and DESCRIBE.
void describe(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("OPTIONS rtsp://127.0.0.1:"));
  peer.ok("Public: DESCRIBE, SETUP, PLAY\r\n");
  EXPECT_THAT(peer.request(), HasSubstr("Accept: application/sdp"));
  peer.ok("", std::string(kSdp));
}

// Up to the answer to PLAY.
void serve_tcp(Peer &peer) {
  describe(peer);
  EXPECT_THAT(peer.request(), HasSubstr("Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=play\r\n"));
  peer.ok("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 77;timeout=60\r\n");
  std::string play = peer.request();
  EXPECT_THAT(play, HasSubstr("PLAY rtsp://127.0.0.1:"));
  EXPECT_THAT(play, HasSubstr("Session: 77\r\n"));
  EXPECT_THAT(play, HasSubstr("Range: npt=0-\r\n"));
  peer.ok();
}

void expect_teardown(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("TEARDOWN "));
  peer.ok();
  peer.drain();
}

TEST(Source, PullsOverTcp) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    for (uint16_t i = 0; i < 5; i++) peer.frame(0, packet(i, 160u * i));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, control::SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  EXPECT_EQ(harness.find<control::SourceReady>()->description.tracks.size(), 1u);
  ASSERT_TRUE(harness.run_until_packets(5));
  EXPECT_EQ(harness.ring_packets()[4], packet(4, 640));
  harness.stop();
  EXPECT_TRUE(harness.run_until([&] { return harness.server().empty(); }));
  EXPECT_EQ(harness.find<control::SourceFailed>(), nullptr);
}

} // namespace
} // namespace sluice::rtsp
