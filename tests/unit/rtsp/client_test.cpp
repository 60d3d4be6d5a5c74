#include "tests/unit/rtsp/client_harness.h"

#include <gmock/gmock.h>

namespace sluice::rtsp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kTcp0 = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: abc;timeout=60\r\n";
const std::string kTcp1 = "Transport: RTP/AVP/TCP;unicast;interleaved=2-3\r\nSession: abc\r\n";

void play_tcp(ClientHarness &h) {
  h.describe(kAudioSdp);
  h.ok(kTcp0);
  h.play();
  h.ok();
  ASSERT_TRUE(h.client.playing());
}

TEST(Client, AsksForAllTracksThenPlaysThenTearsDown) {
  ClientHarness h("rtsp://user:pass@host:554/cam");
  h.connect();
  EXPECT_THAT(h.request, Not(HasSubstr("pass")));
  EXPECT_THAT(h.request, HasSubstr("\r\nUser-Agent: sluice\r\n"));
  h.ok();
  EXPECT_THAT(h.request, HasSubstr("\r\nAccept: application/sdp\r\n"));
  h.ok("Content-Base: rtsp://host:554/cam/\r\n", kTwoTracksSdp);
  EXPECT_THAT(h.request, HasSubstr("\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=play\r\n"));
  EXPECT_THAT(h.request, Not(HasSubstr("Session")));
  h.ok(kTcp0);
  EXPECT_THAT(h.request, HasSubstr("interleaved=2-3"));
  EXPECT_THAT(h.request, HasSubstr("\r\nSession: abc\r\n"));
  h.ok(kTcp1);
  h.play();
  EXPECT_THAT(h.request, HasSubstr("\r\nRange: npt=0-\r\n"));
  h.ok();
  h.stop();
  EXPECT_THAT(h.done,
              ElementsAre("OPTIONS rtsp://host:554/cam", "DESCRIBE rtsp://host:554/cam",
                          "SETUP rtsp://host:554/cam/trackID=0", "set up 0", "SETUP rtsp://host:554/cam/trackID=1",
                          "set up 1", "ready", "PLAY rtsp://host:554/cam/", "TEARDOWN rtsp://host:554/cam/"));
  EXPECT_EQ(h.client.description().tracks.size(), 2u);
}

TEST(Client, TakesInputInAnyPieces) {
  for (size_t bytes : {1, 2, 7, 100}) {
    ClientHarness h;
    h.bytes_at_once = bytes;
    play_tcp(h);
    h.receive(std::string("$\0\0\3abc", 7) + "RTSP/1.0 200 OK\r\nCSeq: 99\r\nContent-Length: 2\r\n\r\n$$" +
              std::string("$\1\0\1d\r\n", 7) + "OPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n" + std::string("$\0\0\1e", 5));
    EXPECT_THAT(h.frames, ElementsAre("0 abc", "0c d", "0 e")) << bytes;
    EXPECT_THAT(h.request, HasSubstr("RTSP/1.0 200 OK\r\nCSeq: 3\r\n"));
    EXPECT_TRUE(h.client.playing());
  }
}

TEST(Client, LeavesOutWhatItCanNotReceive) {
  const std::string video = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n";
  const std::string audio = "m=audio 0 RTP/AVP 0\r\na=control:a\r\n";
  const std::string unknown = "m=application 0 RTP/AVP 107\r\na=control:meta\r\n";
  auto tracks = [](const std::string &sdp) {
    ClientHarness h;
    h.describe("v=0\r\n" + sdp);
    h.ok("Session: 1\r\n");
    h.ok();
    h.ok();
    std::string text;
    for (const std::string &done : h.done)
      if (done.starts_with("SETUP ")) text += done.substr(done.rfind('/') + 1) + " ";
    return text + h.last();
  };
  EXPECT_EQ(tracks(video + audio), "v a ready");
  EXPECT_EQ(tracks(unknown + video), "v ready");
  EXPECT_EQ(tracks(video + "a=recvonly\r\n" + audio + "a=recvonly\r\n" + "m=audio 0 RTP/AVP 8\r\na=control:back\r\n" +
                   "a=sendonly\r\n"),
            "v a ready");
  EXPECT_EQ(tracks(video + "a=sendonly\r\n" + audio + "a=sendonly\r\n"), "v a ready"); // its own side is meant
  EXPECT_EQ(tracks(audio + "a=sendonly\r\n"), "a ready");
  EXPECT_EQ(tracks(unknown), "failed invalid SDP: clock rate of track 0 is not known");
}

TEST(Client, IgnoresPacketsOfChannelsThatItDidNotSetUp) {
  ClientHarness h;
  play_tcp(h);
  h.receive(std::string("$\7\0\1x$\0\0\1y", 10));
  EXPECT_THAT(h.frames, ElementsAre("0 y"));
}

TEST(Client, UsesTheChannelsOfTheAnswer) {
  ClientHarness h;
  h.describe(kTwoTracksSdp);
  h.ok("Transport: RTP/AVP/TCP;interleaved=4-5\r\nSession: 1\r\n");
  h.ok("Transport: RTP/AVP/TCP;interleaved=7-6\r\n");
  h.play();
  h.receive(std::string("$\4\0\1a$\5\0\1b$\7\0\1c$\6\0\1d", 20)); // even before the answer to PLAY
  EXPECT_THAT(h.frames, ElementsAre("0 a", "0c b", "1 c", "1c d"));
}

TEST(Client, RefusesChannelsThatAreTakenOrAreNone) {
  for (const char *channels : {"0-1", "300-301", "9-9"}) {
    ClientHarness h;
    h.describe(kTwoTracksSdp);
    h.ok(kTcp0);
    h.ok(std::string("Transport: RTP/AVP/TCP;interleaved=") + channels + "\r\n");
    EXPECT_THAT(h.last(), ::testing::StartsWith("failed ")) << channels;
  }
}

TEST(Client, AnswersWithoutCseqAreToTheOldestRequest) {
  ClientHarness h;
  h.connect();
  h.receive("RTSP/1.0 200 OK\r\n\r\n");
  EXPECT_EQ(h.last(), "DESCRIBE rtsp://host/cam");
  h.receive("rtsp/1.0 200 ok\r\n\r\n");
  EXPECT_THAT(h.last(), ::testing::StartsWith("failed")); // the version's name has capitals
}

TEST(Client, LateAnswersAreIgnored) {
  ClientHarness h;
  h.connect();
  h.ok();
  h.receive("RTSP/1.0 454 Session Not Found\r\nCSeq: 1\r\n\r\n");
  EXPECT_EQ(h.last(), "DESCRIBE rtsp://host/cam");
  h.receive("RTSP/1.0 100 Continue\r\nCSeq: 2\r\n\r\n");
  h.receive("RTSP/1.0 404 Not Found\r\ncseq:2\r\n\r\n");
  EXPECT_EQ(h.last(), "failed bad status code: 404 (Not Found)");
}

TEST(Client, ToleratesServersWithoutOptions) {
  for (const char *status : {"404 Not Found", "405 Method Not Allowed", "501 Not Implemented"}) {
    ClientHarness h;
    h.connect();
    h.answer(status);
    EXPECT_EQ(h.last(), "DESCRIBE rtsp://host/cam");
  }
  ClientHarness h;
  h.connect();
  h.answer("500 Oops");
  EXPECT_EQ(h.last(), "failed bad status code: 500 (Oops)");
}

TEST(Client, SaysWhyItFailed) {
  ClientHarness bad_sdp;
  bad_sdp.describe("rubbish\r\n");
  EXPECT_THAT(bad_sdp.last(), HasSubstr("failed invalid SDP: "));

  ClientHarness setup;
  setup.describe(kAudioSdp);
  setup.answer("453 \x01");
  EXPECT_EQ(setup.last(), "failed bad status code: 453 (\\x01)");

  ClientHarness play;
  play.describe(kAudioSdp);
  play.ok(kTcp0);
  play.play();
  play.answer("455");
  EXPECT_EQ(play.last(), "failed bad status code: 455 (Method Not Valid In This State)");

  ClientHarness rubbish;
  rubbish.connect();
  rubbish.receive("\x01\x02");
  EXPECT_THAT(rubbish.last(), HasSubstr("failed "));
}

TEST(Client, WaitsForAnswersAsLongAsReadTimeoutSays) {
  ClientHarness h;
  h.connect();
  h.client.on_time(h.now + 10 * kSecond - 1, h.effects);
  EXPECT_TRUE(h.effects.empty());
  h.wait();
  EXPECT_EQ(h.now, 11 * kSecond);
  EXPECT_EQ(h.last(), "failed no answer to OPTIONS within 10 s");
}

// --- redirections ---

TEST(Client, GoesWhereItIsSent) {
  struct Case {
    const char *status, *location, *url;
  };
  for (const Case &c :
       {Case{"301 Moved", "rtsp://other:5/x?y=1", "rtsp://other:5/x?y=1"},
        Case{"302 Found", "/else", "rtsp://host:554/else"}, Case{"303 See", "sub", "rtsp://host:554/a/sub"},
        Case{"305 Proxy", "//third/x", "rtsp://third/x"}, Case{"301 Moved", "rtsps://safe/x", "rtsps://safe/x"}}) {
    ClientHarness h("rtsp://u:p@host:554/a/cam");
    h.connect();
    h.ok();
    h.answer(c.status, std::string("Location: ") + c.location + "\r\n");
    EXPECT_EQ(h.last(), std::string("moved ") + c.url);
  }
  ClientHarness nowhere;
  nowhere.connect();
  nowhere.answer("302 Found");
  EXPECT_THAT(nowhere.last(), HasSubstr("failed the server redirects"));
  ClientHarness web;
  web.connect();
  web.answer("302 Found", "Location: http://host/\r\n");
  EXPECT_THAT(web.last(), HasSubstr("failed the server redirects"));
}

TEST(Client, AnswersRequestsOfTheServer) {
  ClientHarness h;
  play_tcp(h);
  for (const char *method : {"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE"}) {
    h.receive(std::string(method) + " rtsp://host/cam RTSP/1.0\r\nCSeq: 8\r\n\r\n");
    EXPECT_THAT(h.request, HasSubstr("RTSP/1.0 200 OK\r\nCSeq: 8\r\n")) << method;
  }
  h.receive("PAUSE rtsp://host/cam RTSP/1.0\r\nCSeq: 9\r\n\r\n");
  EXPECT_THAT(h.request, HasSubstr("RTSP/1.0 501"));
  h.receive("REDIRECT rtsp://host/cam RTSP/1.0\r\nCSeq: 10\r\nLocation: rtsp://b/\r\n\r\n");
  EXPECT_EQ(h.last(), "moved rtsp://b/");
}

// --- keep-alives and silence ---

TEST(Client, KeepsTheSessionAlive) {
  ClientHarness h;
  h.connect();
  h.ok("Public: OPTIONS, get_parameter,PLAY\r\n");
  h.ok("", kAudioSdp);
  h.ok("Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: abc ; timeout = 10\r\n");
  h.play();
  h.ok();
  Nanoseconds begin = h.now;
  auto media = [&] { h.receive(std::string("$\0\0\1a", 5)); };
  h.now += 5 * kSecond;
  media();
  h.wait();
  EXPECT_EQ(h.now, begin + 8 * kSecond); // 80 % of the timeout
  EXPECT_EQ(h.last(), "GET_PARAMETER rtsp://host/cam");
  EXPECT_THAT(h.request, HasSubstr("Session: abc\r\n"));
  h.answer("405 Method Not Allowed");
  media();
  h.wait();
  EXPECT_EQ(h.last(), "OPTIONS rtsp://host/cam");
  for (int i = 0; i < 50; i++) { // never answered: media alone counts
    media();
    h.wait();
  }
  EXPECT_TRUE(h.client.playing());
}

TEST(Client, KeepsAliveEveryHalfMinuteUnlessTold) {
  ClientHarness h;
  h.describe(kAudioSdp);
  h.ok("Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: abc\r\n");
  h.play();
  h.ok();
  Nanoseconds begin = h.now;
  while (h.last() == "PLAY rtsp://host/cam") {
    h.now = *h.client.deadline() - 1;
    h.receive(std::string("$\0\0\1a", 5));
    h.now++;
    h.client.on_time(h.now, h.effects);
    h.take();
  }
  EXPECT_EQ(h.now - begin, 30 * kSecond);
  EXPECT_EQ(h.last(), "OPTIONS rtsp://host/cam");
}

TEST(Client, GivesUpASilentServer) {
  ClientHarness tcp;
  play_tcp(tcp);
  Nanoseconds begin = tcp.now;
  tcp.wait();
  EXPECT_EQ(tcp.now - begin, 10 * kSecond);
  EXPECT_EQ(tcp.last(), "failed TCP timeout");
  EXPECT_THAT(tcp.request, HasSubstr("TEARDOWN"));

  ClientHarness udp("rtsp://host/cam", ClientTransport::Udp);
  udp.describe(kAudioSdp);
  udp.ports({10000, 10001});
  udp.ok("Transport: RTP/AVP;unicast;client_port=10000-10001;server_port=8000-8001\r\nSession: 1\r\n");
  udp.play();
  udp.ok();
  begin = udp.now;
  udp.client.on_packet(udp.now + 4 * kSecond);
  udp.wait();
  EXPECT_EQ(udp.now - begin, 14 * kSecond);
  EXPECT_EQ(udp.last(), "failed UDP timeout");
}

TEST(Client, OverIsOver) {
  ClientHarness h;
  play_tcp(h);
  h.stop();
  size_t done = h.done.size();
  h.ok();
  h.receive(std::string("$\0\0\1a", 5));
  h.play();
  h.stop();
  h.ports({1, 2});
  h.connect();
  EXPECT_FALSE(h.client.deadline().has_value());
  EXPECT_EQ(h.done.size(), done);
  EXPECT_TRUE(h.frames.empty());
}

} // namespace
} // namespace sluice::rtsp
