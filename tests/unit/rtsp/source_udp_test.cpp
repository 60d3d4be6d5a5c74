// Sources whose media comes by datagrams.

#include "common/base/check.h"
#include "common/loop/media_sockets.h"
#include "common/rtp/rtcp.h"
#include "tests/unit/rtp/make_packet.h"
#include "tests/unit/rtsp/source_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

namespace sluice::rtsp {
namespace {

using ::testing::HasSubstr;
using Peer = ScriptedServer::Peer;
using control::SourceTransport;

constexpr std::string_view kSdp = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n";

ByteVector packet(uint16_t sequence) {
  return rtp::make_packet(sequence, 160u * sequence, false, ByteVector{1, 2, 3}, 0x1234, 0);
}

control::StartSource start_of(const ScriptedServer &server, SourceTransport transport) {
  return {.source = 1,
          .path = "cam",
          .url = server.url(),
          .addresses = {"127.0.0.1:" + std::to_string(server.port())},
          .transport = transport};
}

loop::SocketAddress at(const std::string &host, uint16_t port) {
  return *loop::SocketAddress::parse(host + ":" + std::to_string(port));
}

void send_to(int fd, const loop::SocketAddress &to, Bytes bytes) {
  EXPECT_EQ(::sendto(fd, bytes.data(), bytes.size(), 0, to.raw(), to.length()), static_cast<ssize_t>(bytes.size()));
}

// The sender's port; 0: nothing came.
uint16_t receive_from(int fd, ByteVector &bytes) {
  pollfd readable{fd, POLLIN, 0};
  if (::poll(&readable, 1, 10'000) != 1) return 0;
  bytes.resize(2048);
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  ssize_t count = ::recvfrom(fd, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr *>(&from), &length);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  return loop::SocketAddress(from).port();
}

// Up to the answer to SETUP; the client's RTP port.
uint16_t set_up_udp(Peer &peer, const std::string &server_ports) {
  EXPECT_THAT(peer.request(), HasSubstr("OPTIONS"));
  peer.ok();
  EXPECT_THAT(peer.request(), HasSubstr("DESCRIBE"));
  peer.ok("", std::string(kSdp));
  std::string setup = peer.request();
  size_t at = setup.find("client_port=");
  EXPECT_NE(at, std::string::npos) << setup;
  int port = at == std::string::npos ? 0 : std::stoi(setup.substr(at + 12));
  EXPECT_GE(port, 10'000);
  EXPECT_EQ(port % 2, 0);
  peer.ok("Transport: RTP/AVP;unicast;client_port=" + std::to_string(port) + "-" + std::to_string(port + 1) +
          server_ports + "\r\nSession: 77\r\n");
  return static_cast<uint16_t>(port);
}

std::string ports_of(const loop::UdpPair &pair) {
  return ";server_port=" + std::to_string(pair.rtp_port) + "-" + std::to_string(pair.rtp_port + 1);
}

loop::UdpPair make_pair() {
  auto pair = loop::open_udp_pair(AF_INET, 1 << 20, static_cast<uint64_t>(::getpid()));
  CHECK(pair.has_value());
  return std::move(*pair);
}

void play(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("PLAY"));
  peer.ok();
}

void expect_teardown(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("TEARDOWN "));
  peer.ok();
  peer.drain();
}

std::string reason(SourceHarness &harness) {
  EXPECT_TRUE(harness.run_until_sent<control::SourceFailed>());
  const auto *failed = harness.find<control::SourceFailed>();
  return failed != nullptr ? failed->reason : "";
}

void expect_gone(SourceHarness &harness) {
  EXPECT_TRUE(harness.run_until([&] { return harness.records() == 0; }));
}

TEST(SourceUdp, ReceivesFromTheServersPortsOnly) {
  ScriptedServer server([](ScriptedServer &self) {
    loop::UdpPair pair = make_pair(), stranger = make_pair();
    Peer peer = self.accept();
    uint16_t port = set_up_udp(peer, ports_of(pair));
    ByteVector hole;
    EXPECT_EQ(receive_from(pair.rtp.get(), hole), port);
    EXPECT_EQ(hole.size(), 12u);
    EXPECT_EQ(receive_from(pair.rtcp.get(), hole), port + 1);
    play(peer);
    send_to(stranger.rtp.get(), at("127.0.0.1", port), packet(100));
    for (uint16_t i : {0, 2, 1, 3}) send_to(pair.rtp.get(), at("127.0.0.1", port), packet(i));
    auto report = rtp::make_sender_report({.ssrc = 0x1234, .ntp = 1, .rtp_time = 2}, "x");
    send_to(pair.rtcp.get(), at("127.0.0.1", static_cast<uint16_t>(port + 1)), report.bytes());
    EXPECT_EQ(receive_from(pair.rtcp.get(), hole), port + 1); // a receiver report
    EXPECT_EQ(hole.size(), 32u);
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(4));
  EXPECT_EQ(harness.ring_packets()[3], packet(3));
  EXPECT_EQ(harness.ring_packets()[1], packet(1));
  ASSERT_TRUE(harness.run_until([&] { return !harness.ring_packets(true).empty(); }));
  harness.stop();
  expect_gone(harness);
}

TEST(SourceUdp, AnyPortOfTheServerWillDoIfSaidSo) {
  ScriptedServer server([](ScriptedServer &self) {
    loop::UdpPair pair = make_pair();
    Peer peer = self.accept();
    uint16_t port = set_up_udp(peer, "");
    play(peer);
    Fd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    loop::SocketAddress elsewhere = at("127.0.0.2", 0);
    EXPECT_EQ(::bind(other.get(), elsewhere.raw(), elsewhere.length()), 0);
    send_to(other.get(), at("127.0.0.1", port), packet(50)); // another host
    send_to(pair.rtp.get(), at("127.0.0.1", port), packet(0));
    send_to(pair.rtcp.get(), at("127.0.0.1", port), packet(1));
    expect_teardown(peer);
  });
  SourceHarness harness;
  auto message = start_of(server, SourceTransport::Udp);
  message.any_port = true;
  harness.start(message);
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(2));
  EXPECT_EQ(harness.ring_packets()[0], packet(0));
  harness.stop();
  expect_gone(harness);
}

TEST(SourceUdp, TheMediaMayComeFromAnotherHost) {
  ScriptedServer server([](ScriptedServer &self) {
    Fd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    loop::SocketAddress elsewhere = at("127.0.0.2", 0);
    EXPECT_EQ(::bind(other.get(), elsewhere.raw(), elsewhere.length()), 0);
    uint16_t from = loop::SocketAddress::local_of(other.get())->port();
    Peer peer = self.accept();
    uint16_t port = set_up_udp(peer, ";source=127.0.0.2;server_port=" + std::to_string(from));
    play(peer);
    send_to(other.get(), at("127.0.0.1", port), packet(0));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Udp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1));
  harness.stop();
  expect_gone(harness);
}

TEST(SourceUdp, AServerWithoutPortsIsAnError) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    set_up_udp(peer, "");
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic));
  EXPECT_EQ(reason(harness), "server ports have not been provided. Use AnyPortEnable to communicate with this server");
  expect_gone(harness);
}

void serve_tcp(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("OPTIONS"));
  peer.ok();
  peer.request();
  peer.ok("", std::string(kSdp));
  EXPECT_THAT(peer.request(), HasSubstr("interleaved=0-1"));
  peer.ok("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 78\r\n");
  play(peer);
  peer.frame(0, packet(0));
  expect_teardown(peer);
}

TEST(SourceUdp, FallsBackToTcpWhenRefused) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    peer.request();
    peer.ok();
    peer.request();
    peer.ok("", std::string(kSdp));
    peer.request();
    peer.answer("461 Unsupported Transport");
    Peer again = self.accept();
    serve_tcp(again);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1));
  harness.stop();
  expect_gone(harness);
}

TEST(SourceUdp, FallsBackToTcpWhenNothingComes) {
  ScriptedServer server([](ScriptedServer &self) {
    loop::UdpPair pair = make_pair();
    Peer peer = self.accept();
    set_up_udp(peer, ports_of(pair));
    play(peer);
    EXPECT_THAT(peer.request(), HasSubstr("TEARDOWN"));
    Peer again = self.accept();
    serve_tcp(again);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1)); // in the ring that was granted before
  harness.stop();
  expect_gone(harness);
  EXPECT_EQ(harness.sent.size(), 2u); // and Release, with what flowed
}

TEST(SourceUdp, TimesOutWithoutPackets) {
  ScriptedServer server([](ScriptedServer &self) {
    loop::UdpPair pair = make_pair();
    Peer peer = self.accept();
    set_up_udp(peer, ports_of(pair));
    play(peer);
    expect_teardown(peer);
  });
  SourceHarness harness(200 * kMillisecond);
  harness.start(start_of(server, SourceTransport::Udp));
  ASSERT_TRUE(harness.grant());
  EXPECT_EQ(reason(harness), "UDP timeout");
  expect_gone(harness);
}

TEST(SourceUdp, JoinsAMulticastGroup) {
  ScriptedServer server([](ScriptedServer &self) {
    loop::UdpPair pair = make_pair();
    uint16_t port = make_pair().rtp_port;
    in_addr interface { htonl(INADDR_LOOPBACK) };
    ::setsockopt(pair.rtp.get(), IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface);
    Peer peer = self.accept();
    peer.request();
    peer.ok();
    peer.request();
    peer.ok("", std::string(kSdp));
    EXPECT_THAT(peer.request(), HasSubstr("Transport: RTP/AVP;multicast;mode=play"));
    peer.ok("Transport: RTP/AVP;multicast;destination=239.255.7.9;source=127.0.0.1;port=" + std::to_string(port) + "-" +
            std::to_string(port + 1) + ";ttl=1\r\nSession: 77\r\n");
    play(peer);
    send_to(pair.rtp.get(), at("239.255.7.9", port), packet(0));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Multicast));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1));
  harness.stop();
  expect_gone(harness);
}

} // namespace
} // namespace sluice::rtsp
