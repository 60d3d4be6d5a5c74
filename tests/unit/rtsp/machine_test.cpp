// Conversations of real clients with the machine.
#include "machine_harness.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

const std::string kSdpType = "Content-Type: application/sdp\n";

Harness with_stream() {
  Harness server;
  server.description = parse_sdp(kTwoTracks)->description;
  return server;
}

TEST(Machine, FfmpegPublishesOverTcp) {
  Harness server;
  EXPECT_EQ(
      server.send("OPTIONS rtsp://h:8554/p", "User-Agent: Lavf59.27.100\n"),
      "RTSP/1.0 200 OK\r\nCSeq: 1\r\n"
      "Public: DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, PAUSE, GET_PARAMETER, TEARDOWN\r\nServer: sluice\r\n\r\n");
  EXPECT_EQ(server.send("ANNOUNCE rtsp://h:8554/p", kSdpType, kTwoTracks),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\n\r\n");
  EXPECT_EQ(server.session(1001)->state, State::PreRecord);
  EXPECT_EQ(
      server.send("SETUP rtsp://h:8554/p/streamid=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\n"),
      "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n"
      "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n");
  EXPECT_EQ(server.send("SETUP rtsp://h:8554/p/streamid=1",
                        "Transport: RTP/AVP/TCP;unicast;interleaved=2-3;mode=record\nSession: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n"
            "Transport: RTP/AVP/TCP;unicast;interleaved=2-3\r\n\r\n");
  EXPECT_EQ(server.send("RECORD rtsp://h:8554/p", "Range: npt=0.000-\nSession: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n\r\n");
  SessionState &session = *server.session(1001);
  EXPECT_EQ(session.state, State::Record);
  EXPECT_EQ(session.tcp_connection, 1u);
  EXPECT_EQ(session.tracks[1].rtp_channel, 2);
  EXPECT_EQ(session.path_text(), "p");
  EXPECT_TRUE(is_valid(session));
  EXPECT_EQ(server.send("TEARDOWN rtsp://h:8554/p", "Session: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\n\r\n");
  EXPECT_EQ(server.reply.reason, "teared down by 10.0.0.1:5000");
  EXPECT_FALSE(server.reply.close);
  EXPECT_TRUE(server.sessions.empty());
  EXPECT_EQ(server.connections.at(1).session, 0u);
  EXPECT_EQ(server.asked, (std::vector<std::string>{"publish p?", "record"}));
}

TEST(Machine, FfmpegPublishesWithAQuery) {
  Harness server;
  server.send("ANNOUNCE rtsp://h/p?k=v", kSdpType, kTwoTracks);
  const std::string udp = "Transport: RTP/AVP/UDP;unicast;client_port=5000-5001;mode=record\n";
  EXPECT_NE(server.send("SETUP rtsp://h/p?k=v/streamid=0", udp)
                .find("Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001\r\n"),
            std::string::npos);
  // GStreamer inserts the control attribute before the query.
  EXPECT_NE(server.send("SETUP rtsp://h/p/streamid=1?k=v", udp).find("200 OK"), std::string::npos);
  EXPECT_NE(server.send("RECORD rtsp://h/p?k=v/", "Session: 1001;timeout=60\n").find("200 OK"), std::string::npos);
  EXPECT_EQ(server.session(1001)->query_text(), "k=v");
  EXPECT_EQ(server.session(1001)->tracks[1].client_rtcp_port, 5001);
}

TEST(Machine, ReadersGetAnAnswerWithPortsSsrcAndRtpInfo) {
  Harness server = with_stream();
  std::string described = server.send("DESCRIBE rtsp://h:8554/p", "Accept: application/sdp\n");
  EXPECT_TRUE(described.starts_with("RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Base: rtsp://h:8554/p/\r\nContent-Length: "))
      << described;
  EXPECT_NE(described.find("Content-Type: application/sdp\r\n"), std::string::npos);
  EXPECT_TRUE(described.ends_with("a=control:trackID=1\r\n"));
  EXPECT_EQ(server.send("SETUP rtsp://h:8554/p/trackID=0", "Transport: RTP/AVP/UDP;unicast;client_port=14186-14187\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001;timeout=60\r\n"
            "Transport: RTP/AVP;unicast;client_port=14186-14187;server_port=8000-8001;ssrc=AABBCCDD\r\n\r\n");
  EXPECT_EQ(server.send("SETUP rtsp://h:8554/p/trackID=1",
                        "Transport: RTP/AVP/UDP;unicast;client_port=14188-14189\nSession: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001;timeout=60\r\n"
            "Transport: RTP/AVP;unicast;client_port=14188-14189;server_port=8000-8001\r\n\r\n");
  server.rtp_info = {{0, 100, 9000}};
  EXPECT_EQ(server.send("PLAY rtsp://h:8554/p/", "Session: 1001\nRange: npt=0.000-\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nRTP-Info: url=rtsp://h:8554/p/trackID=0;seq=100;rtptime=9000\r\n"
            "Server: sluice\r\nSession: 1001;timeout=60\r\n\r\n");
  EXPECT_EQ(server.send("PLAY rtsp://h:8554/p/", "Session: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001;timeout=60\r\n\r\n");
  EXPECT_EQ(server.send("GET_PARAMETER rtsp://h:8554/p/", "Session: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: text/parameters\r\nServer: sluice\r\n"
            "Session: 1001;timeout=60\r\n\r\n");
  EXPECT_EQ(server.send("PAUSE rtsp://h:8554/p/", "Session: 1001\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001;timeout=60\r\n\r\n");
  EXPECT_EQ(server.session(1001)->state, State::PrePlay);
  server.send("PLAY rtsp://h:8554/p/", "Session: 1001\n");
  EXPECT_EQ(server.session(1001)->state, State::Play);
  EXPECT_EQ(server.asked, (std::vector<std::string>{"describe p?", "read p?"}));
}

TEST(Machine, GStreamerFallsBackToTcp) {
  Harness server = with_stream();
  server.facts.udp = false;
  EXPECT_EQ(server.send("SETUP rtsp://h/p/trackID=0?k=v", "Transport: RTP/AVP;unicast;client_port=1-2;mode=\"PLAY\"\n"),
            "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n\r\n");
  EXPECT_FALSE(server.reply.close);
  EXPECT_EQ(server.session(1001)->state, State::Initial);
  EXPECT_EQ(server.send("SETUP rtsp://h/p/trackID=0?k=v",
                        "Session: 1001\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=\"PLAY\"\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n"
            "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=AABBCCDD\r\n\r\n");
  EXPECT_NE(server.send("PLAY rtsp://h/p/?k=v", "Session: 1001\n").find("200 OK"), std::string::npos);
  EXPECT_EQ(server.asked, (std::vector<std::string>{"read p?k=v"}));
}

TEST(Machine, VlcSetsUpTheBareUrlWithASlash) {
  Harness server = with_stream();
  EXPECT_NE(server.send("SETUP rtsp://h/p/", "Transport: RTP/AVP;unicast;client_port=9000-9001\n").find("200 OK"),
            std::string::npos);
  EXPECT_EQ(server.session(1001)->tracks[0].is_set_up, 1);
  EXPECT_NE(server.send("PLAY rtsp://h/p/", "Session: 1001\nRange: npt=0.000-\n").find("200 OK"), std::string::npos);
}

TEST(Machine, MulticastIsAnsweredWithTheTracksGroup) {
  Harness server = with_stream();
  server.facts.multicast = true;
  EXPECT_EQ(server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;multicast;port=1-2;destination=1.2.3.4\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001;timeout=60\r\n"
            "Transport: RTP/AVP;multicast;destination=224.1.0.1;port=8002-8003;ttl=16;ssrc=AABBCCDD\r\n\r\n");
  EXPECT_EQ(server.session(1001)->transport, TransportKind::Multicast);
  EXPECT_TRUE(server.send("SETUP rtsp://h/p/trackID=1", "Transport: RTP/AVP;unicast;client_port=2-3\n")
                  .starts_with("RTSP/1.0 400 "));
  server = with_stream();
  server.facts.multicast = true;
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;multicast\n");
  std::string second = server.send("SETUP rtsp://h/p/trackID=1", "Transport: RTP/AVP/UDP;multicast\n");
  EXPECT_NE(second.find("Transport: RTP/AVP;multicast;destination=224.1.0.2;port=8002-8003;ttl=16\r\n"),
            std::string::npos)
      << second;
  server.send("PLAY rtsp://h/p", "Session: 1001\n");
  EXPECT_TRUE(is_valid(*server.session(1001)));
  server.close(1);
  EXPECT_NE(server.session(1001), nullptr) << "outlives its connection";
}

TEST(Machine, DescribesAMulticastAddressToWhomAsksForIt) {
  Harness server = with_stream();
  auto address = [&](const std::string &query) {
    std::string response = server.send("DESCRIBE rtsp://h/p" + query);
    size_t begin = response.find("c=IN IP4 ") + 9;
    return response.substr(begin, response.find("\r\n", begin) - begin);
  };
  EXPECT_EQ(address("?vlcmulticast"), "0.0.0.0");
  server.facts.multicast = true;
  server.facts.multicast_base = "224.1.0.0";
  EXPECT_EQ(address("?vlcmulticast"), "224.1.0.0");
  EXPECT_EQ(address("?a=b&vlcmulticast=&c"), "224.1.0.0");
  EXPECT_EQ(address("?vlcmulticasts"), "0.0.0.0");
  EXPECT_EQ(address("?a=vlcmulticast"), "0.0.0.0");
  EXPECT_EQ(address(""), "0.0.0.0");
  server.facts.tls = true;
  EXPECT_EQ(address("?vlcmulticast"), "0.0.0.0");
}

TEST(Machine, FirstAcceptableTransportIsChosen) {
  Harness server = with_stream();
  server.facts.udp = false;
  std::string response = server.send("SETUP rtsp://h/p/trackID=1",
                                     "Transport: RTP/AVP;unicast;client_port=1-2,RTP/AVP;multicast,"
                                     "RTP/AVP/TCP;unicast;interleaved=1-2,RTP/AVP/TCP;unicast;interleaved=4-5\n");
  EXPECT_NE(response.find("Transport: RTP/AVP/TCP;unicast;interleaved=4-5\r\n"), std::string::npos) << response;
}

TEST(Machine, ParametersAndOptionsWorkWithoutSession) {
  Harness server;
  EXPECT_EQ(server.send("GET_PARAMETER rtsp://h/p"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: text/parameters\r\nServer: sluice\r\n\r\n");
  EXPECT_EQ(server.send("SET_PARAMETER rtsp://h/p", "", "a: b\r\n"),
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: sluice\r\n\r\n");
  EXPECT_NE(server.send("OPTIONS *").find("Public: "), std::string::npos);
}

TEST(Machine, PublisherPausesAndRecordsAgain) {
  Harness server;
  server.send("ANNOUNCE rtsp://h/p", kSdpType, "m=audio 0 RTP/AVP 0\r\n");
  server.send("SETUP rtsp://h/p", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=receive\n");
  EXPECT_NE(server.send("RECORD rtsp://h/p", "Session: 1001\n").find("200 OK"), std::string::npos);
  EXPECT_NE(server.send("PAUSE rtsp://h/p", "Session: 1001\n").find("200 OK"), std::string::npos);
  EXPECT_EQ(server.session(1001)->state, State::PreRecord);
  EXPECT_EQ(server.session(1001)->tcp_connection, 0u);
  server.refusal = {RefusalKind::BadRequest, "publisher is not assigned to this path anymore"};
  EXPECT_NE(server.send("RECORD rtsp://h/p", "Session: 1001\n").find("400 Bad Request"), std::string::npos);
  EXPECT_EQ(server.reply.reason, "publisher is not assigned to this path anymore");
  EXPECT_TRUE(server.sessions.empty());
}

TEST(Machine, TracksWithoutControlAttributeAreSetUpInOrder) {
  Harness server;
  server.send("ANNOUNCE rtsp://h/p", kSdpType, "m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 8\r\n");
  server.send("SETUP rtsp://h/p", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=record\n");
  server.send("SETUP rtsp://h/p/", "Transport: RTP/AVP/TCP;interleaved=2-3;mode=record\n");
  EXPECT_EQ(server.session(1001)->tracks[0].rtp_channel, 0);
  EXPECT_EQ(server.session(1001)->tracks[1].rtp_channel, 2);
  EXPECT_TRUE(server.session(1001)->tracks[1].is_set_up);
}

const std::string kSectionsToIgnore = "m=text 0 RTP/AVP 98\r\na=control:text\r\n"
                                      "m=video 0 RTP/AVP 26\r\na=control:video\r\n"
                                      "m=application 0 TCP/BFCP *\r\na=control:rtsp://elsewhere/x\r\n"
                                      "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n";

TEST(Machine, SectionsThatCannotBeCarriedMayBeSetUpAndNeedNotBe) {
  for (bool all : {false, true}) {
    Harness server;
    EXPECT_NE(server.send("ANNOUNCE rtsp://h/p", kSdpType, kSectionsToIgnore).find("200 OK"), std::string::npos);
    const SessionState &session = *server.session(1001);
    EXPECT_EQ(session.track_count, 4);
    EXPECT_EQ(session.carried_count(), 2u);
    auto set_up = [&](const std::string &url, int channel) {
      std::string ids = std::to_string(channel) + "-" + std::to_string(channel + 1);
      return server.send("SETUP " + url, "Transport: RTP/AVP/TCP;interleaved=" + ids + ";mode=record\n");
    };
    if (all) {
      EXPECT_NE(set_up("rtsp://h/p/text", 0).find("interleaved=0-1"), std::string::npos);
      EXPECT_NE(set_up("rtsp://elsewhere/x", 2).find("interleaved=2-3"), std::string::npos);
    }
    EXPECT_NE(set_up("rtsp://h/p/audio", 6).find("interleaved=6-7"), std::string::npos);
    EXPECT_NE(set_up("rtsp://h/p/video", 4).find("interleaved=4-5"), std::string::npos);
    EXPECT_EQ(session.tracks[0].rtp_channel, 4); // as in the description
    EXPECT_EQ(session.tracks[1].rtp_channel, 6);
    EXPECT_EQ(session.tracks[2].is_set_up, all);
    EXPECT_EQ(session.tracks[3].is_set_up, all);
    EXPECT_NE(server.send("RECORD rtsp://h/p", "Session: 1001\n").find("200 OK"), std::string::npos);
    EXPECT_TRUE(is_valid(session));
  }
}

TEST(Machine, EveryCarriedTrackHasToBeSetUp) {
  Harness server;
  server.send("ANNOUNCE rtsp://h/p", kSdpType, kSectionsToIgnore);
  for (const char *name : {"text", "video"})
    server.send(std::string("SETUP rtsp://h/p/") + name, "Transport: RTP/AVP;client_port=5000-5001;mode=record\n");
  server.send("RECORD rtsp://h/p", "Session: 1001\n");
  EXPECT_EQ(server.reply.reason, "not all announced tracks have been setup");
}

TEST(Machine, SectionsThatShareAUrlAreSetUpAsAnnouncedAlsoIfIgnored) {
  Harness server;
  server.send("ANNOUNCE rtsp://h/p", kSdpType, "m=text 0 RTP/AVP 98\r\nm=audio 0 RTP/AVP 0\r\n");
  server.send("SETUP rtsp://h/p", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=record\n");
  server.send("SETUP rtsp://h/p", "Transport: RTP/AVP/TCP;interleaved=2-3;mode=record\n");
  EXPECT_EQ(server.session(1001)->tracks[0].rtp_channel, 2);
  EXPECT_EQ(server.session(1001)->tracks[1].rtp_channel, 0);
}

TEST(Machine, RequireIsNotLookedAt) {
  Harness server = with_stream();
  for (const char *feature : {"www.onvif.org/ver20/backchannel", "onvif-replay", "implicit-play", "x, y"})
    for (const char *method : {"OPTIONS", "DESCRIBE"})
      EXPECT_NE(
          server.send(method + std::string(" rtsp://h/p"), std::string("Require: ") + feature + "\n").find("200 OK"),
          std::string::npos);
}

TEST(Machine, UdpSessionOutlivesItsConnectionAndIsReachedFromAnother) {
  Harness server = with_stream();
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;client_port=1-2\n");
  server.send("PLAY rtsp://h/p", "Session: 1001\n");
  server.close(1);
  ASSERT_EQ(server.sessions.size(), 1u);
  EXPECT_EQ(server.session(1001)->linked_connections, 0u);
  EXPECT_NE(server.send("OPTIONS rtsp://h/p", "Session: 1001;timeout=60\n", "", 2).find("Session: 1001;timeout=60\r\n"),
            std::string::npos);
  EXPECT_EQ(server.session(1001)->linked_connections, 1u);
  EXPECT_NE(server.send("TEARDOWN rtsp://h/p", "Session: 1001\n", "", 2).find("200 OK"), std::string::npos);
  EXPECT_TRUE(server.sessions.empty());
}

TEST(Machine, OtherSessionsEndWithTheirConnection) {
  for (const char *transport : {"RTP/AVP;client_port=1-2", "RTP/AVP/TCP;interleaved=0-1"}) {
    Harness server = with_stream();
    server.send("SETUP rtsp://h/p/trackID=0", std::string("Transport: ") + transport + "\n");
    ASSERT_EQ(server.sessions.size(), 1u);
    server.close(1);
    EXPECT_TRUE(server.sessions.empty()) << "not in use";
  }
  Harness server = with_stream();
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1\n");
  server.send("PLAY rtsp://h/p", "Session: 1001\n");
  server.close(1);
  EXPECT_TRUE(server.sessions.empty());
}

TEST(Machine, ForgetsAConnectionWhoseSessionHasEnded) {
  Harness server = with_stream();
  server.connect(1).session = 77; // ended without being unlinked
  EXPECT_NE(server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;client_port=1-2\n").find("Session: 1001"),
            std::string::npos);
  EXPECT_EQ(server.connections.at(1).session, 1001u);
}

TEST(Machine, DecidingAgainChangesNothing) {
  Harness server = with_stream();
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;client_port=1-2\n");
  Request request = (*parse_request(as_bytes("PLAY rtsp://h/p RTSP/1.0\nCSeq: 1\nSession: 1001\n\n")))->request;
  ConnectionState &other = server.connect(2);
  SessionState &session = *server.session(1001);
  for (int i = 0; i < 3; i++) {
    EXPECT_TRUE(std::holds_alternative<StartPlay>(decide(request, other, &session, server.facts)));
    EXPECT_EQ(session.state, State::PrePlay);
    EXPECT_EQ(session.linked_connections, 2u);
    EXPECT_EQ(other.session, 1001u);
  }
}

TEST(Machine, LateOutcomesDoNotHarmAChangedSession) {
  Harness server = with_stream();
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;client_port=1-2\n");
  Request request = (*parse_request(as_bytes("PLAY rtsp://h/p RTSP/1.0\nCSeq: 1\nSession: 1001\n\n")))->request;
  ConnectionState &connection = server.connections.at(1);
  SessionState &session = *server.session(1001);
  EXPECT_FALSE(playing(request, connection, session, {}).close);
  Reply late[] = {playing(request, connection, session, {}), recording(request, connection, session),
                  read_granted(request, BeginRead{}, session, 2, server.facts, std::nullopt),
                  track_set_up(request, SetupTrack{}, session, server.facts, std::nullopt),
                  publish_granted(request, BeginPublish{"p", "", {}, {{1, 1}}, {0}, {}}, session)};
  for (const Reply &reply : late) {
    EXPECT_EQ(reply.response.status, Status::BadRequest);
    EXPECT_EQ(reply.reason, "session was changed by another connection");
  }
  EXPECT_EQ(session.state, State::Play);
  EXPECT_TRUE(is_valid(session));
}

} // namespace
} // namespace sluice::rtsp
