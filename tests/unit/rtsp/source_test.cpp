// A source from StartSource to its end, against servers that follow a script.

#include "common/rtp/rtcp.h"
#include "ipc/shm/memfd.h"
#include "tests/unit/rtp/make_packet.h"
#include "tests/unit/rtsp/source_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace sluice::rtsp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Peer = ScriptedServer::Peer;
using control::SourceTransport;

constexpr std::string_view kSdp = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n";

ByteVector packet(uint16_t sequence, uint32_t timestamp = 0, uint32_t ssrc = 0x1234) {
  return rtp::make_packet(sequence, timestamp, false, ByteVector{1, 2, 3}, ssrc, 0);
}

control::StartSource start_of(const ScriptedServer &server, SourceTransport transport,
                              const std::string &userinfo = "") {
  return {.source = 1,
          .path = "cam",
          .url = server.url(userinfo),
          .addresses = {"127.0.0.1:" + std::to_string(server.port())},
          .transport = transport};
}

// OPTIONS and DESCRIBE.
void describe(Peer &peer) {
  EXPECT_THAT(peer.request(), HasSubstr("OPTIONS rtsp"));
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
  EXPECT_THAT(play, HasSubstr("PLAY rtsp"));
  EXPECT_THAT(play, HasSubstr("Session: 77\r\n"));
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
  EXPECT_TRUE(harness.server().empty());
}

TEST(Source, PullsOverTcp) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    for (uint16_t i = 0; i < 5; i++) peer.frame(0, packet(i, 160u * i));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  EXPECT_EQ(harness.find<control::SourceReady>()->description.tracks.size(), 1u);
  ASSERT_TRUE(harness.run_until_packets(5));
  EXPECT_EQ(harness.ring_packets()[4], packet(4, 640));
  harness.stop();
  expect_gone(harness);
  EXPECT_EQ(harness.find<control::SourceFailed>(), nullptr);
}

TEST(Source, ReportsWhatItReceivedOverTcp) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    peer.frame(0, packet(0));
    peer.frame(1, rtp::make_sender_report({.ssrc = 0x1234, .ntp = 1, .rtp_time = 2}, "x").bytes());
    expect_teardown(peer);
    EXPECT_EQ(peer.frames, 1u);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until([&] { return !harness.ring_packets(true).empty(); })); // with ours to the readers
  harness.stop();
  expect_gone(harness);
}

TEST(Source, TakesPacketsThatComeInPieces) {
  std::vector<ByteVector> packets;
  std::string stream;
  for (uint16_t i = 0; i < 40; i++) {
    packets.push_back(rtp::make_packet(i, 160u * i, false, ByteVector(i % 4 == 0 ? 7000 : 500, uint8_t(i)), 0x1234, 0));
    size_t size = packets.back().size();
    stream += {'$', 0, static_cast<char>(size >> 8), static_cast<char>(size)};
    stream += as_text(packets.back());
  }
  ScriptedServer server([&](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    for (size_t begin = 0, piece = 1; begin < stream.size() - 1; begin += piece, piece = piece % 3000 + 331) {
      peer.send(stream.substr(begin, std::min(piece, stream.size() - 1 - begin)));
      std::this_thread::sleep_for(std::chrono::milliseconds(1)); // so that most are received apart
    }
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(39));
  EXPECT_EQ(harness.ring_packets(), std::vector<ByteVector>(packets.begin(), packets.end() - 1));
  // What is there of the last one has left the large buffer to others.
  const shm::SessionTable &table = harness.server().allocator().table();
  EXPECT_TRUE(harness.run_until([&] {
    const shm::ConnectionRecord &record = table.touched_connections()[0];
    return record.input_length == packets[39].size() + 3 && table.buffer(record.input).size() == shm::kSmallBufferBytes;
  }));
  harness.stop();
  expect_gone(harness);
}

TEST(Source, AuthenticatesAndForgets) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    peer.request();
    peer.answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
    EXPECT_THAT(peer.request(), HasSubstr("Authorization: Digest username=\"user\""));
    peer.answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n");
    peer.drain();
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp, "user:s3cret@"));
  EXPECT_EQ(reason(harness), "authentication failed");
  expect_gone(harness);
}

TEST(Source, SaysWhereItWasSent) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    peer.request();
    peer.ok();
    peer.request();
    peer.answer("302 Found", "Location: rtsp://elsewhere/cam\r\n");
    peer.drain();
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic, "user:pass@"));
  ASSERT_TRUE(harness.run_until_sent<control::SourceMoved>());
  EXPECT_EQ(harness.find<control::SourceMoved>()->url, "rtsp://elsewhere/cam");
  expect_gone(harness);
  EXPECT_EQ(harness.sent.size(), 2u);
  EXPECT_NE(harness.find<control::Release>(), nullptr); // what flowed
}

TEST(Source, SaysWhyItFailed) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    peer.request();
    peer.ok();
    peer.request();
    peer.answer("404 Not Found");
    peer.drain();
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Automatic, "user:s3cret@"));
  EXPECT_EQ(reason(harness), "bad status code: 404 (Not Found)");
  expect_gone(harness);
}

TEST(Source, NoticesThatTheServerIsGone) {
  std::promise<void> seen;
  ScriptedServer server([&](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    peer.frame(0, packet(0));
    seen.get_future().wait();
    peer.close();
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  EXPECT_TRUE(harness.run_until_packets(1));
  seen.set_value();
  EXPECT_EQ(reason(harness), "the server closed the connection");
  expect_gone(harness);
}

TEST(Source, TriesTheAddressesInOrder) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    expect_teardown(peer);
  });
  SourceHarness harness;
  auto message = start_of(server, SourceTransport::Tcp);
  message.addresses.insert(message.addresses.begin(), "127.0.0.1:1");
  harness.start(message);
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until([&] { return harness.records() == 2; }));
  harness.stop();
  expect_gone(harness);

  SourceHarness none;
  none.start({.source = 1, .path = "cam", .url = "rtsp://u:s3cret@127.0.0.1:1/", .addresses = {"127.0.0.1:1"}});
  EXPECT_EQ(reason(none), "connect 127.0.0.1:1: Connection refused");
  expect_gone(none);
}

TEST(Source, RefusalsOfMessagesNeverShowCredentials) {
  for (const char *url : {"rtsp://user:s3cret@host:99999/x", "http://user:s3cret@host/", "rtsps://user:s3cret@host/"}) {
    SourceHarness harness;
    harness.start({.source = 1, .path = "cam", .url = url, .addresses = {"127.0.0.1:1"}});
    std::string why = reason(harness);
    EXPECT_THAT(why, Not(HasSubstr("s3cret")));
    EXPECT_FALSE(why.empty());
    expect_gone(harness);
  }
}

TEST(Source, EndsWhenRefusedAndSaysSo) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    describe(peer);
    peer.request();
    peer.ok("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 77\r\n");
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  harness.refuse();
  expect_gone(harness);
  EXPECT_NE(harness.find<control::SourceFailed>(), nullptr) << "else the supervisor takes it for one that goes on";
}

TEST(Source, TimesOutWithoutPackets) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    expect_teardown(peer);
  });
  SourceHarness harness(200 * kMillisecond);
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  EXPECT_EQ(reason(harness), "TCP timeout");
  expect_gone(harness);
}

TEST(Source, IsNotHeldUpByAServerThatDoesNotSayGoodbye) {
  std::promise<void> gone;
  ScriptedServer server([&](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    peer.frame(0, packet(0));
    EXPECT_THAT(peer.request(), HasSubstr("TEARDOWN"));
    gone.get_future().wait(); // it neither answers nor closes
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  EXPECT_TRUE(harness.grant());
  EXPECT_TRUE(harness.run_until_packets(1));
  harness.stop();
  expect_gone(harness);
  gone.set_value();
}

TEST(Source, DrainingAWorkerEndsItsSources) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    peer.frame(0, packet(0));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1));
  harness.drain();
  EXPECT_EQ(reason(harness), "the worker is given up");
  EXPECT_FALSE(harness.server().drained());
  expect_gone(harness);
  EXPECT_TRUE(harness.server().drained());
}

TEST(Source, ShuttingDownEndsItsSources) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    serve_tcp(peer);
    peer.frame(0, packet(0));
    expect_teardown(peer);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(1));
  harness.server().shut_down();
  expect_gone(harness);
  EXPECT_EQ(harness.find<control::SourceFailed>(), nullptr);
}

TEST(Source, ContinuesTheStreamOfAFormerOne) {
  ScriptedServer server([](ScriptedServer &self) {
    Peer first = self.accept();
    serve_tcp(first);
    first.frame(0, packet(100, 5000, 0xaaaa));
    first.frame(0, packet(101, 5160, 0xaaaa));
    expect_teardown(first);
    Peer second = self.accept();
    serve_tcp(second);
    second.frame(0, packet(7, 90, 0xbbbb));
    second.frame(0, packet(8, 250, 0xbbbb));
    expect_teardown(second);
  });
  SourceHarness harness;
  harness.start(start_of(server, SourceTransport::Tcp));
  ASSERT_TRUE(harness.grant());
  ASSERT_TRUE(harness.run_until_packets(2));
  harness.stop();
  expect_gone(harness);
  harness.forget_sent();
  auto again = start_of(server, SourceTransport::Tcp);
  again.source = 2;
  harness.start(again);
  ASSERT_TRUE(harness.grant(true));
  ASSERT_TRUE(harness.run_until_packets(4));
  harness.stop();
  expect_gone(harness);
  auto packets = harness.ring_packets();
  auto third = rtp::parse_packet(packets[2])->header, fourth = rtp::parse_packet(packets[3])->header;
  EXPECT_EQ(third.ssrc, 0xaaaau);
  EXPECT_EQ(third.sequence, 102);
  EXPECT_GT(third.timestamp, 5160u);
  EXPECT_EQ(fourth.sequence, 103);
  EXPECT_EQ(fourth.timestamp, third.timestamp + 160);
  EXPECT_EQ(ByteVector(packets[3].begin() + 12, packets[3].end()), (ByteVector{1, 2, 3}));
}

// --- TLS ---

TEST(Source, PullsOverTls) {
  static const loop::TestIdentity identity = loop::make_identity();
  for (bool by_fingerprint : {true, false}) {
    ScriptedServer server([](ScriptedServer &self) {
      Peer peer = self.accept();
      ASSERT_TRUE(peer.secure(identity));
      serve_tcp(peer);
      for (uint16_t i = 0; i < 200; i++) peer.frame(0, packet(i, 160u * i));
      expect_teardown(peer);
    });
    SourceHarness harness;
    auto message = start_of(server, SourceTransport::Automatic);
    message.url = server.url("user:pass@", "rtsps");
    std::vector<Fd> fds;
    if (by_fingerprint) {
      message.fingerprint = loop::fingerprint_of(identity);
    } else {
      fds.push_back(std::move(*shm::create_memfd("trust", identity.certificate.size())));
      ASSERT_GT(::pwrite(fds[0].get(), identity.certificate.data(), identity.certificate.size(), 0), 0);
    }
    harness.start(message, std::move(fds));
    ASSERT_TRUE(harness.grant());
    ASSERT_TRUE(harness.run_until_packets(200));
    harness.stop();
    expect_gone(harness);
  }
}

TEST(Source, RefusesAServerWithAnotherFingerprint) {
  static const loop::TestIdentity identity = loop::make_identity();
  ScriptedServer server([](ScriptedServer &self) {
    Peer peer = self.accept();
    peer.secure(identity); // may succeed on this side
    EXPECT_EQ(peer.request(), "");
  });
  SourceHarness harness;
  auto message = start_of(server, SourceTransport::Automatic);
  message.url = server.url("user:pass@", "rtsps");
  message.fingerprint = std::string(64, 'a');
  harness.start(message);
  EXPECT_THAT(reason(harness), HasSubstr("server fingerprint do not match: expected aaaa"));
  expect_gone(harness);
}

} // namespace
} // namespace sluice::rtsp
