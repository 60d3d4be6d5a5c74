// Every refusal of the machine, with its status and reason.
#include "machine_harness.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

const std::string kSdpType = "Content-Type: application/sdp\n";
const std::string kTcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\n";
const std::string kUdp = "Transport: RTP/AVP;unicast;client_port=5000-5001\n";
const std::string kRecordTcp = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record\n";
const std::string kSession = "Session: 1001\n";

// How a server gets into a state before the request under test.
enum class Before { Nothing, ReadSetUp, Playing, Announced, AnnouncedAndOneSetUp, Recording };

Harness server_in(Before before) {
  Harness server;
  server.description = parse_sdp(kTwoTracks)->description;
  if (before == Before::ReadSetUp || before == Before::Playing) server.send("SETUP rtsp://h/p/trackID=0", kTcp);
  if (before == Before::Playing) server.send("PLAY rtsp://h/p", kSession);
  if (before >= Before::Announced) server.send("ANNOUNCE rtsp://h/p", kSdpType, kTwoTracks);
  if (before >= Before::AnnouncedAndOneSetUp) server.send("SETUP rtsp://h/p/streamid=0", kRecordTcp);
  if (before == Before::Recording) {
    server.send("SETUP rtsp://h/p/streamid=1", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3;mode=record\n");
    server.send("RECORD rtsp://h/p", kSession);
  }
  return server;
}

struct Case {
  Before before;
  std::string start, headers, body;
  unsigned status;
  std::string reason;
};

void expect_refused(const std::vector<Case> &cases, bool close = true) {
  for (const Case &one : cases) {
    Harness server = server_in(one.before);
    std::string response = server.send(one.start, one.headers, one.body);
    EXPECT_TRUE(response.starts_with("RTSP/1.0 " + std::to_string(one.status) + " ")) << one.start << "\n" << response;
    EXPECT_EQ(server.reply.reason, one.reason) << one.start;
    EXPECT_EQ(server.reply.close, close) << one.start;
    EXPECT_NE(response.find("CSeq: 1\r\n"), std::string::npos) << one.start;
    bool names_session = response.find("Session: ") != std::string::npos;
    EXPECT_FALSE(names_session) << one.start;
  }
}

TEST(MachineRefuses, RequestsWithoutOneCSeq) {
  for (const char *text : {"OPTIONS * RTSP/1.0\n\n", "OPTIONS * RTSP/1.0\nCSeq: 1\nCSeq: 2\n\n"}) {
    Harness server;
    EXPECT_EQ(server.send_text(text), "RTSP/1.0 400 Bad Request\r\nServer: sluice\r\n\r\n");
    EXPECT_TRUE(server.reply.close);
    EXPECT_EQ(server.reply.reason, "CSeq is missing");
  }
}

TEST(MachineRefuses, UnhandledMethodsAndStaysOpen) {
  expect_refused({{Before::Nothing, "FLY rtsp://h/p", "", "", 501, "unhandled request: FLY rtsp://h/p"},
                  {Before::Playing, "REDIRECT rtsp://h/p", kSession, "", 501, "unhandled request: REDIRECT rtsp://h/p"},
                  {Before::Nothing, "PLAY rtsp://h/p", "", "", 455, "unhandled request: PLAY rtsp://h/p"},
                  {Before::Announced, "RECORD rtsp://h/p", "", "", 455, "unhandled request: RECORD rtsp://h/p"},
                  {Before::Playing, "PAUSE rtsp://h/p", "", "", 455, "unhandled request: PAUSE rtsp://h/p"},
                  {Before::Nothing, "TEARDOWN rtsp://h/p", "", "", 455, "unhandled request: TEARDOWN rtsp://h/p"}},
                 false);
}

TEST(MachineRefuses, UnknownSessions) {
  std::vector<Case> cases;
  for (const char *method : {"PLAY", "RECORD", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "OPTIONS"}) {
    cases.push_back(
        {Before::Nothing, std::string(method) + " rtsp://h/p", "Session: 5\n", "", 454, "session not found"});
  }
  expect_refused(cases);
}

TEST(MachineRefuses, SessionsOfOthers) {
  Harness server = server_in(Before::ReadSetUp);
  server.connect(2, 99);
  EXPECT_TRUE(server.send("OPTIONS rtsp://h/p", kSession, "", 2).starts_with("RTSP/1.0 400 "));
  EXPECT_EQ(server.reply.reason, "cannot use a session created with a different IP");
  EXPECT_TRUE(server.reply.close);
  EXPECT_EQ(server.session(1001)->linked_connections, 1u);

  server.send("SETUP rtsp://h/p/trackID=0", kTcp, "", 3);
  EXPECT_TRUE(server.send("PLAY rtsp://h/p", kSession, "", 3).starts_with("RTSP/1.0 400 "));
  EXPECT_EQ(server.reply.reason, "connection is linked to another session");

  server.send("PLAY rtsp://h/p", kSession);
  EXPECT_TRUE(server.send("PAUSE rtsp://h/p", kSession, "", 4).starts_with("RTSP/1.0 400 "));
  EXPECT_EQ(server.reply.reason, "session is linked to another connection");
  EXPECT_EQ(server.session(1001)->state, State::Play);
}

TEST(MachineRefuses, RequestsInTheWrongState) {
  auto wrong = [](Before before, std::string start, std::string headers, std::string allowed, std::string state) {
    return Case{before,
                std::move(start),
                std::move(headers),
                "",
                400,
                "must be in state [" + allowed + "], while is in state " + state};
  };
  expect_refused({
      wrong(Before::ReadSetUp, "ANNOUNCE rtsp://h/p", kSdpType, "initial", "prePlay"),
      wrong(Before::Recording, "ANNOUNCE rtsp://h/p", kSdpType, "initial", "record"),
      wrong(Before::Playing, "SETUP rtsp://h/p/trackID=1", kTcp, "initial prePlay preRecord", "play"),
      wrong(Before::Recording, "SETUP rtsp://h/p/streamid=1", kTcp, "initial prePlay preRecord", "record"),
      wrong(Before::Announced, "PLAY rtsp://h/p", kSession, "prePlay play", "preRecord"),
      wrong(Before::ReadSetUp, "RECORD rtsp://h/p", kSession, "preRecord", "prePlay"),
      wrong(Before::Recording, "RECORD rtsp://h/p", kSession, "preRecord", "record"),
  });
  Harness server = server_in(Before::Nothing);
  server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;multicast\n");
  EXPECT_TRUE(server.send("PAUSE rtsp://h/p", kSession).starts_with("RTSP/1.0 400 "));
  EXPECT_EQ(server.reply.reason, "must be in state [prePlay play preRecord record], while is in state initial");
}

TEST(MachineRefuses, Describes) {
  expect_refused({
      {Before::Nothing, "DESCRIBE rtsp://h", "", "", 400, "invalid path"},
      {Before::Nothing, "DESCRIBE *", "", "", 400, "invalid path"},
      {Before::Nothing, "DESCRIBE rtsp://h/", "", "", 400, "invalid path name: cannot be empty ()"},
      {Before::Nothing, "DESCRIBE rtsp://h/p/", "", "", 400, "invalid path name: can't end with a slash (p/)"},
      {Before::Nothing, "DESCRIBE rtsp://h//p", "", "", 400, "invalid path name: can't begin with a slash (/p)"},
      {Before::Nothing, "DESCRIBE rtsp://h/" + std::string(513, 'p'), "", "", 400, "path exceeds 512 bytes"},
      {Before::Nothing, "DESCRIBE rtsp://h/p?" + std::string(513, 'q'), "", "", 400, "query exceeds 512 bytes"},
  });
}

TEST(MachineRefuses, WhatTheSupervisorRefuses) {
  struct Answer {
    RefusalKind kind;
    std::string reason, status;
  };
  for (const Answer &answer : {Answer{RefusalKind::NoPublisher, "no one is publishing to path 'p'", "404 Not Found"},
                               Answer{RefusalKind::BadRequest, "path 'p' is not configured", "400 Bad Request"},
                               Answer{RefusalKind::Unavailable, "too many sessions", "503 Service Unavailable"}}) {
    for (const char *method : {"DESCRIBE", "SETUP", "ANNOUNCE"}) {
      Harness server;
      server.refusal = {answer.kind, answer.reason};
      std::string url = method == std::string("SETUP") ? " rtsp://h/p/trackID=0" : " rtsp://h/p";
      std::string response = server.send(method + url, kTcp + kSdpType, kTwoTracks);
      EXPECT_EQ(response, "RTSP/1.0 " + answer.status + "\r\nCSeq: 1\r\nServer: sluice\r\n\r\n");
      EXPECT_EQ(server.reply.reason, answer.reason);
      EXPECT_TRUE(server.reply.close);
      EXPECT_EQ(server.asked.size(), 1u);
      EXPECT_TRUE(server.sessions.empty());
    }
  }
}

TEST(MachineRefuses, Announces) {
  const std::string audio = "m=audio 0 RTP/AVP 0\r\n";
  expect_refused({
      {Before::Nothing, "ANNOUNCE rtsp://h/p", "", kTwoTracks, 400, "Content-Type header is missing"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", kSdpType + kSdpType, audio, 400, "Content-Type header is missing"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", "Content-Type: text/plain\n", audio, 400,
       "unsupported Content-Type header 'text/plain'"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", kSdpType, "", 400, "invalid SDP: no tracks found"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", kSdpType, "m=video 0 RTP/AVP 96\r\n", 400,
       "invalid SDP: clock rate of track 0 is not known"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", kSdpType, audio + "a=control:rtsp://h/other/1\r\n", 400,
       "invalid track path: must begin with 'p', but is 'other/1'"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p", kSdpType, audio + "a=control:a b\r\n", 400, "invalid track URL (a b)"},
      {Before::Nothing, "ANNOUNCE rtsp://h/p/", kSdpType, audio, 400, "invalid path name: can't end with a slash (p/)"},
      {Before::Nothing, "ANNOUNCE *", kSdpType, audio, 400, "invalid path"},
      {Before::Nothing, "ANNOUNCE rtsp://h/" + std::string(513, 'p'), kSdpType, audio, 400, "path exceeds 512 bytes"},
  });
}

TEST(MachineRefuses, SetupsForReading) {
  auto bad = [](Before before, std::string track, std::string transport, std::string reason) {
    return Case{before, "SETUP rtsp://h/p" + track, std::move(transport), "", 400, std::move(reason)};
  };
  expect_refused({
      bad(Before::Nothing, "/trackID=0", "", "invalid transport header: value not provided"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP;client_port=x\n",
          "invalid transport header: invalid ports (x)"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP;mode=x\n",
          "invalid transport header: invalid transport mode: 'x'"),
      bad(Before::Nothing, "", kTcp,
          "path of a SETUP request must end with a slash. This typically happens when VLC fails a request, and then "
          "switches to an unsupported RTSP dialect"),
      bad(Before::Nothing, "/trackID=x", kTcp, "unable to parse track ID (p/trackID=x)"),
      bad(Before::ReadSetUp, "2/trackID=1", kTcp, "can't setup tracks with different paths"),
      bad(Before::ReadSetUp, "?q/trackID=1", kTcp, "can't setup tracks with different paths"),
      bad(Before::ReadSetUp, "/trackID=0", kTcp, "track 0 has already been setup"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP;unicast\n",
          "transport header does not contain client ports"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP/TCP;interleaved=1-2\n", "invalid interleaved IDs"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-2\n", "invalid interleaved IDs"),
      bad(Before::Nothing, "/trackID=0", "Transport: RTP/AVP/TCP;interleaved=256-257\n", "invalid interleaved IDs"),
      bad(Before::ReadSetUp, "/trackID=1", kTcp, "interleaved IDs already used"),
      bad(Before::ReadSetUp, "/trackID=1", kUdp, "can't setup tracks with different protocols"),
      bad(Before::Nothing, "/trackID=0", kRecordTcp, "invalid track path (p/trackID=0)"),
      bad(Before::ReadSetUp, "/trackID=1", "Transport: RTP/AVP/TCP;interleaved=2-3;mode=record\n",
          "invalid track path (p/trackID=1)"),
      bad(Before::Nothing, "/trackID=2", kTcp, "track 2 does not exist"),
      bad(Before::ReadSetUp, "/trackID=4000000000", "Transport: RTP/AVP/TCP;interleaved=2-3\n",
          "track 4000000000 does not exist"),
      bad(Before::Nothing, "$/trackID=0", kTcp,
          "invalid path name: can contain only alphanumeric characters, underscore, dot, tilde, minus or slash (p$)"),
  });
}

TEST(MachineRefuses, SetupsForRecording) {
  expect_refused({
      {Before::Announced, "SETUP rtsp://h/p/streamid=2", kRecordTcp, "", 400, "invalid track path (p/streamid=2)"},
      {Before::AnnouncedAndOneSetUp, "SETUP rtsp://h/p/streamid=0", kRecordTcp, "", 400,
       "track 0 has already been setup"},
      {Before::Announced, "SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1;mode=play\n", "", 400,
       "transport header contains a invalid mode (play)"},
      {Before::AnnouncedAndOneSetUp, "RECORD rtsp://h/p", kSession, "", 400,
       "not all announced tracks have been setup"},
  });
}

TEST(MachineRefuses, UnsupportedTransportsAndStaysOpen) {
  struct Unsupported {
    bool tcp, udp, tls;
    std::string transport, reason;
  };
  for (const Unsupported &one : {
           Unsupported{true, true, false, "RTP/AVP;multicast", "multicast is not enabled"},
           Unsupported{true, true, false, "RTP/AVP/TCP;multicast;interleaved=0-1", "multicast is not enabled"},
           Unsupported{true, false, false, "RTP/AVP;unicast;client_port=1-2", "UDP is not enabled"},
           Unsupported{true, true, true, "RTP/AVP;unicast;client_port=1-2", "UDP is not enabled"},
           Unsupported{false, true, false, "RTP/AVP/TCP;interleaved=0-1", "TCP is not enabled"},
       }) {
    Harness server = server_in(Before::Nothing);
    server.facts.tcp = one.tcp, server.facts.udp = one.udp, server.facts.tls = one.tls;
    EXPECT_EQ(server.send("SETUP rtsp://h/p/trackID=0", "Transport: " + one.transport + "\n"),
              "RTSP/1.0 461 Unsupported Transport\r\nCSeq: 1\r\nServer: sluice\r\nSession: 1001\r\n\r\n");
    EXPECT_EQ(server.reply.reason, one.reason);
    EXPECT_FALSE(server.reply.close);
    EXPECT_TRUE(server.asked.empty());
  }
}

TEST(MachineRefuses, MulticastOverTlsAndFromPublishers) {
  Harness server = server_in(Before::Nothing);
  server.facts.multicast = server.facts.tls = true;
  EXPECT_TRUE(server.send("SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP;multicast\n").starts_with("RTSP/1.0 461 "));
  server = server_in(Before::Announced);
  server.facts.multicast = true;
  EXPECT_TRUE(server.send("SETUP rtsp://h/p/streamid=0", "Transport: RTP/AVP;multicast;mode=record\n")
                  .starts_with("RTSP/1.0 461 "));
  EXPECT_EQ(server.reply.reason, "multicast can't be published");
  EXPECT_FALSE(server.reply.close);
}

TEST(MachineRefuses, ChangedPaths) {
  expect_refused({
      {Before::ReadSetUp, "PLAY rtsp://h/q", kSession, "", 400, "path has changed, was 'p', now is 'q'"},
      {Before::ReadSetUp, "PLAY *", kSession, "", 400, "invalid path"},
  });
  Harness server;
  server.send("ANNOUNCE rtsp://h/p", kSdpType, "m=audio 0 RTP/AVP 0\r\n");
  server.send("SETUP rtsp://h/p", kRecordTcp);
  EXPECT_TRUE(server.send("RECORD rtsp://h/p/2", kSession).starts_with("RTSP/1.0 400 "));
  EXPECT_EQ(server.reply.reason, "path has changed, was 'p', now is 'p/2'");
}

TEST(MachineRefuses, WhatTheInputOutputLayerCouldNotDo) {
  Request request = (*parse_request(as_bytes("SETUP rtsp://h/p/trackID=0 RTSP/1.0\nCSeq: 1\n\n")))->request;
  EXPECT_EQ(failed(request, "bind: no", Status::InternalServerError).response.status, Status::InternalServerError);
  EXPECT_EQ(unavailable(request, "too many sessions").response.status, Status::ServiceUnavailable);
}

} // namespace
} // namespace sluice::rtsp
