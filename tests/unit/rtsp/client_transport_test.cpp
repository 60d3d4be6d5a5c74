// How a Client gets its media: over UDP, by multicast, in the connection, and how it falls back.

#include "tests/unit/rtsp/client_harness.h"

#include <gmock/gmock.h>

namespace sluice::rtsp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kUdpAnswer = "Transport: RTP/AVP;unicast;client_port=10000-10001;server_port=8000-8001\r\n"
                               "Session: 1\r\n";

TEST(ClientTransport, UdpAsksForPortsOfEachTrack) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Automatic);
  h.describe(kTwoTracksSdp);
  EXPECT_EQ(h.last(), "open 0");
  h.ports({10000, 10001});
  EXPECT_THAT(h.request, HasSubstr("Transport: RTP/AVP;unicast;client_port=10000-10001;mode=play\r\n"));
  h.ok(kUdpAnswer);
  EXPECT_EQ(h.route,
            (MediaRoute{
                .transport = ClientTransport::Udp, .server_ports = PortPair{8000, 8001}, .channels = {10000, 10001}}));
  EXPECT_EQ(h.last(), "open 1");
  h.ports({10002, 10003});
  h.ok("Transport: RTP/AVP/UDP;source=1.2.3.4;server_port=8002\r\n");
  EXPECT_EQ(h.route.source, "1.2.3.4");
  EXPECT_EQ(h.route.server_ports, (PortPair{8002, 8003}));
  EXPECT_EQ(h.last(), "ready");
  EXPECT_FALSE(h.client.over_tcp());
}

TEST(ClientTransport, FallsBackToTcpWhenUdpIsRefused) {
  for (const char *status : {"461 Unsupported Transport", "400 Bad Request", "463 Destination Prohibited"}) {
    ClientHarness h("rtsp://host/cam", ClientTransport::Automatic);
    h.describe(kTwoTracksSdp);
    h.ports({10000, 10001});
    h.ok(kUdpAnswer);
    h.ports({10002, 10003});
    h.done.clear();
    h.answer(status);
    EXPECT_THAT(h.done, ElementsAre("TEARDOWN rtsp://host/cam", "start over")) << status;
    EXPECT_FALSE(h.client.deadline().has_value());
    h.describe(kAudioSdp);
    EXPECT_THAT(h.request, HasSubstr("interleaved=0-1"));
    EXPECT_THAT(h.request, Not(HasSubstr("Session")));
    h.answer(status); // this time it is final
    EXPECT_THAT(h.last(), HasSubstr("failed bad status code: "));
  }
}

TEST(ClientTransport, FallsBackToTcpWhenTheServerAnswersWithIt) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Automatic);
  h.describe(kAudioSdp);
  h.ports({10000, 10001});
  h.ok("Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 1\r\n");
  EXPECT_EQ(h.last(), "start over");
}

TEST(ClientTransport, FallsBackToTcpWhenNothingComes) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Automatic);
  h.describe(kAudioSdp);
  h.ports({10000, 10001});
  h.ok(kUdpAnswer);
  h.play();
  h.ok();
  Nanoseconds begin = h.now;
  h.wait();
  EXPECT_EQ(h.now - begin, 3 * kSecond);
  EXPECT_EQ(h.last(), "start over");
  EXPECT_TRUE(h.client.over_tcp());
}

TEST(ClientTransport, StaysWithUdpOnceSomethingCame) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Automatic);
  h.describe(kAudioSdp);
  h.ports({10000, 10001});
  h.ok(kUdpAnswer);
  h.play();
  h.client.on_packet(h.now); // before the answer
  h.ok();
  h.wait();
  EXPECT_EQ(h.last(), "failed UDP timeout");
}

TEST(ClientTransport, ForcedUdpDoesNotFallBack) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Udp);
  h.describe(kAudioSdp);
  h.ports({10000, 10001});
  h.answer("461 Unsupported Transport");
  EXPECT_EQ(h.last(), "failed bad status code: 461 (Unsupported Transport)");
}

TEST(ClientTransport, RtspsIsTcpOnly) {
  for (ClientTransport transport : {ClientTransport::Automatic, ClientTransport::Udp, ClientTransport::Multicast}) {
    ClientHarness h("rtsps://host/cam", transport);
    h.describe(kAudioSdp);
    EXPECT_THAT(h.request, HasSubstr("SETUP rtsps://host/cam/track1"));
    EXPECT_THAT(h.request, HasSubstr("RTP/AVP/TCP"));
    h.answer("461 Unsupported Transport");
    EXPECT_THAT(h.last(), HasSubstr("failed bad status code: 461"));
  }
}

TEST(ClientTransport, ServerPortsMustBeKnownUnlessAnyWillDo) {
  for (const char *ports : {"", ";server_port=0-0", ";server_port=0"}) {
    ClientHarness strict("rtsp://host/cam", ClientTransport::Automatic);
    strict.describe(kAudioSdp);
    strict.ports({10000, 10001});
    std::string answer = std::string("Transport: RTP/AVP;unicast") + ports + "\r\nSession: 1\r\n";
    strict.ok(answer);
    EXPECT_EQ(strict.last(), "failed server ports have not been provided. Use AnyPortEnable to communicate with this "
                             "server");
    EXPECT_THAT(strict.request, HasSubstr("TEARDOWN"));
    ClientHarness any("rtsp://host/cam", ClientTransport::Udp, true);
    any.describe(kAudioSdp);
    any.ports({10000, 10001});
    any.ok(answer);
    EXPECT_EQ(any.last(), "ready");
    EXPECT_FALSE(any.route.server_ports.has_value());
  }
}

TEST(ClientTransport, JoinsTheGroupOfTheAnswer) {
  ClientHarness h("rtsp://host/cam", ClientTransport::Multicast);
  h.describe(kAudioSdp);
  EXPECT_THAT(h.request, HasSubstr("Transport: RTP/AVP;multicast;mode=play\r\n"));
  h.ok("Transport: RTP/AVP;multicast;destination=239.1.1.1;source=1.2.3.4;port=5000-5001;ttl=16\r\nSession: 1\r\n");
  EXPECT_EQ(h.route.group, "239.1.1.1");
  EXPECT_EQ(h.route.source, "1.2.3.4");
  EXPECT_EQ(h.route.group_ports, (PortPair{5000, 5001}));
  EXPECT_EQ(h.last(), "ready");

  for (const char *answer : {"RTP/AVP;unicast;server_port=1-2", "RTP/AVP;multicast;port=5000-5001",
                             "RTP/AVP;multicast;destination=239.1.1.1"}) {
    ClientHarness bad("rtsp://host/cam", ClientTransport::Multicast);
    bad.describe(kAudioSdp);
    bad.ok(std::string("Transport: ") + answer + "\r\nSession: 1\r\n");
    EXPECT_THAT(bad.last(), HasSubstr("failed ")) << answer;
  }
}

TEST(ClientTransport, WhatDoesNotMatterMayBeWrong) {
  PortPair asked{10000, 10001};
  std::string odd = "RTP/AVP;unicast;source=cam.local;client_port=0-0;ssrc=zzz;mode=\"FOO\";server_port=6970-6971,x";
  auto route = read_transport_answer(&odd, ClientTransport::Udp, asked, false);
  ASSERT_TRUE(route.has_value()) << route.error().message;
  EXPECT_EQ(route->source, "");
  EXPECT_EQ(route->server_ports, (PortPair{6970, 6971}));
  auto silent = read_transport_answer(nullptr, ClientTransport::Tcp, {2, 3}, false);
  ASSERT_TRUE(silent.has_value());
  EXPECT_EQ(silent->channels, (PortPair{2, 3}));
  EXPECT_FALSE(read_transport_answer(nullptr, ClientTransport::Udp, asked, false).has_value());
}

} // namespace
} // namespace sluice::rtsp
