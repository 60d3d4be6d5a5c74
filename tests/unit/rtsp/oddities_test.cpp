// What devices and clients were seen to send that the standards do not foresee, or that servers tend to forget: each
// with who does it, and with what must come of it.
#include "tests/unit/rtsp/machine_harness.h"
#include "workers/rtsp/protocol/fmtp.h"

#include <gmock/gmock.h>

namespace sluice::rtsp {
namespace {

using media::Codec;
using testing::HasSubstr;

// --- descriptions ---

const std::string kH264 = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";

struct Described {
  const char *who;
  std::string sdp;
  std::vector<std::string> written; // parts of what readers are told
  size_t tracks = 1;
};

void expect_described(const std::vector<Described> &cases) {
  for (const Described &one : cases) {
    SCOPED_TRACE(one.who);
    Result<ParsedSdp> parsed = parse_sdp(one.sdp);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->description.tracks.size(), one.tracks);
    std::string text = write_sdp(parsed->description);
    for (const std::string &part : one.written) EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(Oddities, OfWholeDescriptions) {
  expect_described({
      {"bare descriptions without v=, o=, s= and t=", kH264 + "a=control:trackID=0\r\n", {}},
      {"Scrypted's rebroadcast: the last line does not end", kH264 + "a=control:trackID=0", {}},
      {"LF only", "v=0\ns=-\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n", {}},
      {"the terminating NUL of a C string sent along", kH264 + std::string(1, '\0'), {}},
      {"H3C: origin and connection cut off", "v=0\r\no=- 1001 1 IN\r\nc=IN\r\n" + kH264, {}},
      {"IPTV servers: an empty connection line", "v=0\r\nc=\r\ns=\r\ni=\r\n" + kH264, {}},
      {"a negative origin", "v=0\r\no=-2208991488 2208991488 IN IP4 10.255.1.119\r\n" + kH264, {}},
      {"Tuya C5: port and connection address are uninitialised memory",
       "v=0\r\nm=video -1353744643 RTP/AVP 96\r\nc=IN IP4 '&\x01\xff\x7f\r\na=rtpmap:96 H264/90000\r\n",
       {"m=video 0 RTP/AVP 96\r\n"}},
      {"RootEncoder: t= misspelt", "v=0\r\nthread=0 0\r\na=recvonly\r\n" + kH264, {}},
      {"a port range", "m=video 49170/2 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", {"m=video 0 RTP/AVP 96\r\n"}},
      {"RTP/AVPF and RTP/AVP/TCP", "m=video 0 RTP/AVPF 26\r\nm=audio 0 rtp/avp/tcp 8\r\n", {}, 2},
      {"IGCSMS camera without audio: a payload type of (null), an rtpmap without value",
       kH264 + "a=control:track=1\r\nm=audio 0 RTP/AVP (null)\r\nb=AS:64\r\na=rtpmap\r\na=control:track=2\r\n",
       {}},
      {"FFmpeg of raw video: no rtpmap", "m=video 0 RTP/AVP 96\r\nm=audio 0 RTP/AVP 0\r\n", {"PCMU/8000"}},
      {"Dahua: ONVIF metadata and a back channel with a dozen formats",
       kH264 + "a=recvonly\r\nm=audio 0 RTP/AVP 8\r\na=recvonly\r\nm=application 0 RTP/AVP 107\r\n"
               "a=rtpmap:107 vnd.onvif.metadata/90000\r\na=recvonly\r\nm=audio 0 RTP/AVP 116 115 0 8\r\n"
               "a=rtpmap:116 MPEG4-GENERIC/64000\r\na=rtpmap:115 MPEG4-GENERIC/48000\r\na=sendonly\r\n",
       {"a=rtpmap:107 vnd.onvif.metadata/90000"},
       4},
      {"encrypted beside plain", kH264 + "m=audio 0 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", {}},
  });
  EXPECT_EQ(parse_sdp("m=audio 0 RTP/SAVP 0\r\n").error().message, "track 0 is not plain RTP but RTP/SAVP");
  EXPECT_EQ(parse_sdp("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n").error().message,
            "track 0 is not plain RTP but UDP/TLS/RTP/SAVPF");
}

TEST(Oddities, OfVideoFormats) {
  const std::string h265 = "m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\n";
  expect_described({
      {"OBS, many cameras: no fmtp", kH264, {"a=fmtp:96 packetization-mode=1; sprop-parameter-sets=\r\n"}},
      {"Hikvision: no parameter sets", kH264 + "a=fmtp:96 profile-level-id=4D0014;packetization-mode=0\r\n", {}},
      {"Hikvision: a comma instead of the PPS",
       kH264 + "a=fmtp:96 sprop-parameter-sets=Z0IAH5WoPASaEAAAcIAAFfkIQA==,\r\n",
       {"sprop-parameter-sets=Z0IAH5WoPASaEAAAcIAAFfkIQA==,; profile-level-id=42001F\r\n"}},
      {"VLC: a semicolon at the end",
       kH264 + "a=fmtp:96 packetization-mode=1;profile-level-id=64001f;sprop-parameter-sets=Z2QAH6zZ,aOvjyyLA;\r\n",
       {"packetization-mode=1; sprop-parameter-sets=Z2QAH6zZ,aOvjyyLA; profile-level-id=64001F\r\n"}},
      {"DVB encoders: a third parameter set",
       kH264 + "a=fmtp:96 sprop-parameter-sets=Z2QAKawTMUB4,aPqPLA==,aF6jzAMA; profile-level-id=640029\r\n",
       {"sprop-parameter-sets=Z2QAKawTMUB4,aPqPLA==,aF6jzAMA; profile-level-id=640029\r\n"}},
      {"VStarcam: parameter sets that are none",
       kH264 + "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=6QEAAA==,6QEAAA==\r\n",
       {"sprop-parameter-sets=6QEAAA==,6QEAAA==\r\n"}},
      {"a parameter without value", kH264 + "a=fmtp:96 0\r\n", {"sprop-parameter-sets=\r\n"}},
      {"a space behind the colon", "m=video 0 RTP/AVP 96\r\na=rtpmap: 96 H264/90000\r\n", {"H264/90000"}},
      {"the same rtpmap twice", kH264 + "a=rtpmap:96 H264/90000\r\n", {"a=rtpmap:96 H264/90000\r\n"}},
      {"a dynamic type below 96", "m=video 0 RTP/AVP 35\r\na=rtpmap:35 H264/90000\r\n", {"a=rtpmap:35 H264/90000"}},
      {"JPEG cameras: no rtpmap of a static type", "m=video 0 RTP/AVP 26\r\na=framerate:25\r\n", {"RTP/AVP 26"}},
      {"H265 without fmtp", h265, {"a=rtpmap:97 H265/90000\r\na=control"}},
      {"H265 in any order, with a stray comma and semicolons",
       h265 + "a=fmtp:97 ;sprop-pps=RAHA;; sprop-sps=QgEB,QgEC ;sprop-vps=QAEM;profile-id=1;\r\n",
       {"a=fmtp:97 sprop-vps=QAEM; sprop-sps=QgEB,QgEC; sprop-pps=RAHA\r\n"}},
  });
}

TEST(Oddities, OfAudioFormats) {
  const std::string aac = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000\r\n";
  expect_described({
      {"upper-case config and names",
       aac + "a=fmtp:97 streamtype=5;mode=AAC-HBR;config=14AF;SizeLength=13;IndexLength=3;IndexDeltaLength=3;"
             "Profile=1;\r\n",
       {"profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=14af\r\n"}},
      {"AMS: no index at all, a space before the payload type",
       aac + "a=fmtp: 97 streamtype=3;profile-level-id=14;mode=AAC-hbr;config=1190;sizeLength=13\r\n",
       {"a=fmtp:97 profile-level-id=1; mode=AAC-hbr; sizelength=13; config=1190\r\n"}},
      {"no sizelength: passed on as it is", aac + "a=fmtp:97 config=1408\r\n", {"a=fmtp:97 config=1408\r\n"}},
      {"Hikvision: the fmtp is of another payload type", aac + "a=fmtp:104 config=1408;sizelength=13\r\n", {}},
      {"GStreamer: LATM",
       "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 MP4A-LATM/44100\r\na=fmtp:96 cpresent=0;config=40002410\r\n",
       {"a=rtpmap:96 MP4A-LATM/44100\r\na=fmtp:96 cpresent=0;config=40002410\r\n"}},
      {"LATM with an fmtp of another payload type",
       "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/16000/1\r\na=fmtp:40 cpresent=0;config=\r\na=sendonly\r\n",
       {"a=rtpmap:97 MP4A-LATM/16000/1\r\n"}},
      {"G.711 with and without channels",
       "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\nm=audio 0 RTP/AVP 0\r\n",
       {"PCMA/8000\r\n", "PCMU/8000\r\n"},
       2},
  });
}

// --- requests as bytes ---

TEST(Oddities, OfRequestsAsBytes) {
  struct Case {
    const char *who;
    std::string text;
    const char *header, *value;
  };
  const std::vector<Case> cases = {
      {"ExoPlayer 2.14: header names in lower case",
       "SETUP rtsp://h/p/trackID=0 RTSP/1.0\r\ncseq: 3\r\ntransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n", "Transport",
       "RTP/AVP/TCP;interleaved=0-1"},
      {"Hipcam: Content-length", "ANNOUNCE rtsp://h/p RTSP/1.0\r\nCseq: 1\r\nContent-length: 3\r\n\r\nv=0", "CSeq",
       "1"},
      {"LF only", "OPTIONS rtsp://h/p RTSP/1.0\nCSeq: 1\n\n", "CSeq", "1"},
      {"LF and CRLF mixed", "OPTIONS rtsp://h/p RTSP/1.0\r\nCSeq: 1\n\r\n", "CSeq", "1"},
      {"line ends before the request", "\r\n\r\nOPTIONS rtsp://h/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
      {"no space behind the colon, or several, or a tab", "OPTIONS * RTSP/1.0\r\nCSeq:1\r\nUser-Agent:\t  x \t\r\n\r\n",
       "User-Agent", "x"},
      {"a space before the colon", "OPTIONS * RTSP/1.0\r\nCSeq : 1\r\n\r\n", "CSeq", "1"},
      {"a CSeq that is no number", "OPTIONS * RTSP/1.0\r\nCSeq: one\r\n\r\n", "CSeq", "one"},
      {"RootEncoder: an empty Session", "ANNOUNCE rtsp://h/p RTSP/1.0\r\nCSeq: 2\r\nSession: \r\n\r\n", "Session", ""},
      {"a scheme in upper case", "OPTIONS RTSP://H:554/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
      {"IPv6", "OPTIONS rtsp://[2a02:908::93f4]:8554/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
      {"IPv6 with a zone, escaped or not", "OPTIONS rtsp://[fe80::1%25eth0]:8554/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq",
       "1"},
      {"zeroconf: IPv6 with a zone", "OPTIONS rtsp://[fe80::1%eth0]/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
      {"a port left out behind its colon", "OPTIONS rtsp://h:/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
      {"credentials that hold @ and :", "OPTIONS rtsp://us@er:pa:ss@h/p RTSP/1.0\r\nCSeq: 1\r\n\r\n", "CSeq", "1"},
  };
  for (const Case &one : cases) {
    SCOPED_TRACE(one.who);
    for (size_t size = 1; size < one.text.size(); size++) { // whatever came before the rest
      auto partly = parse_request(as_bytes(one.text.substr(0, size)));
      ASSERT_TRUE(partly.has_value()) << size << ": " << partly.error().message;
      EXPECT_FALSE(partly->has_value()) << size;
    }
    auto parsed = parse_request(as_bytes(one.text));
    ASSERT_TRUE(parsed.has_value() && parsed->has_value());
    EXPECT_EQ((*parsed)->consumed, one.text.size());
    const std::string *value = (*parsed)->request.headers.find(one.header);
    ASSERT_NE(value, nullptr);
    EXPECT_EQ(*value, one.value);
  }
}

TEST(Oddities, ThatEndAConnection) {
  for (const char *text : {
           "TEARDOWN  RTSP/1.0\r\nCSeq: 1\r\n\r\n",                    // ZLMediaKit: no URL at all
           "OPTIONS rtsp://h/p HTTP/1.0\r\nCSeq: 1\r\n\r\n",           // the wrong protocol
           "OPTIONS rtsp://h:x/p RTSP/1.0\r\nCSeq: 1\r\n\r\n",         // a port that is none
           "OPTIONS rtsp://h/p RTSP/1.0\r\nCSeq: 1\r\n folded\r\n\r\n" // no header has a second line since RFC 7230
       })
    EXPECT_FALSE(parse_request(as_bytes(std::string(text))).has_value()) << text;
}

// --- conversations ---

const std::string kSdpType = "Content-Type: application/sdp\n";
const std::string kTwoControls = kH264 + "a=control:trackID=0\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\n";

struct Said {
  const char *who;
  std::string start, headers, answer; // a part of it
  std::string body = "";
};

void expect_answers(Harness &server, const std::vector<Said> &conversation) {
  for (const Said &said : conversation) {
    SCOPED_TRACE(said.who + std::string(": ") + said.start);
    std::string answer = server.send(said.start, said.headers, said.body);
    EXPECT_THAT(answer, HasSubstr(said.answer)) << server.reply.reason;
  }
}

Harness with_two_tracks() {
  Harness server;
  server.description = parse_sdp(kTwoControls)->description;
  return server;
}

TEST(Oddities, OfTheTransportOfReaders) {
  for (const Said &said : std::vector<Said>{
           {"ExoPlayer: one port", "", "Transport: RTP/AVP;unicast;client_port=5000\n", "client_port=5000-5001"},
           {"FFmpeg: RTP/AVP/UDP", "", "Transport: RTP/AVP/UDP;unicast;client_port=5000-5001\n", "RTP/AVP;unicast"},
           {"retina: neither unicast nor multicast", "", "Transport: RTP/AVP/UDP;client_port=5000-5001\n", "200 OK"},
           {"all in upper case", "", "TRANSPORT: rtp/avp;UNICAST;CLIENT_PORT=5000-5001;MODE=\"PLAY\"\n", "200 OK"},
           {"spaces all around", "", "Transport:  RTP/AVP ; unicast ; client_port = 5000 - 5001 ;\n", "200 OK"},
           {"parameters in another order", "", "Transport: unicast;client_port=5000-5001;RTP/AVP\n", "200 OK"},
           {"a parameter that nobody knows", "", "Transport: RTP/AVP;x-a=b;unicast;append;client_port=5000-5001\n",
            "200 OK"},
           {"odd ports", "", "Transport: RTP/AVP;unicast;client_port=5001-5003\n", "client_port=5001-5003"},
           {"several alternatives", "",
            "Transport: RTP/AVP;multicast,RAW/RAW/UDP;x,RTP/SAVP;client_port=1-2, RTP/AVP/TCP;interleaved=2-3\n",
            "RTP/AVP/TCP;unicast;interleaved=2-3"},
           {"alternatives on lines of their own", "",
            "Transport: RTP/AVP;multicast\nTransport: RTP/SAVP;client_port=1-2\ntransport: "
            "RTP/AVP;client_port=5000-5001\n",
            "client_port=5000-5001"},
           {"interleaved left to the server", "", "Transport: RTP/AVP/TCP;unicast\n", "interleaved=0-1"},
           {"one channel", "", "Transport: RTP/AVP/TCP;unicast;interleaved=4\n", "interleaved=4-5"},
           {"ssrc before the channels", "", "Transport: RTP/AVP/TCP;ssrc=22345684;interleaved=0-1\n",
            "interleaved=0-1"},
       }) {
    Harness server = with_two_tracks();
    expect_answers(server, {{said.who, "SETUP rtsp://h/p/trackID=0", said.headers, said.answer}});
  }
  Harness server = with_two_tracks();
  expect_answers(server, {{"", "SETUP rtsp://h/p/trackID=0", "Transport: RTP/AVP/TCP;interleaved=2-3\n", "200 OK"},
                          {"", "SETUP rtsp://h/p/trackID=1", "Transport: RTP/AVP/TCP\n", "interleaved=0-1"}});
}

TEST(Oddities, OfTheUrlsOfReaders) {
  const std::string tcp = "Transport: RTP/AVP/TCP;interleaved=0-1\n";
  for (const Said &said : std::vector<Said>{
           {"VLC: the path and a slash is the first track", "SETUP rtsp://h/p/", tcp, "200 OK"},
           {"go2rtc: two slashes, of the base and of its own", "SETUP rtsp://h/p//trackID=1", tcp, "200 OK"},
           {"a slash behind the track", "SETUP rtsp://h/p/trackID=1/", tcp, "200 OK"},
           {"ONVIF Device Manager: the track behind the query", "SETUP rtsp://h/p?a=b&c=d/trackID=1", tcp, "200 OK"},
           {"the query ends with a slash", "SETUP rtsp://h/p?a=b/&c=d//trackID=1", tcp, "200 OK"},
           {"RtspClientSharp: the track before the query", "SETUP rtsp://h/p/trackID=1?a=b", tcp, "200 OK"},
           {"credentials in the URL", "SETUP rtsp://user:pass@h:8554/p/trackID=0", tcp, "200 OK"},
           {"another name of the server than elsewhere", "SETUP rtsp://[::1]:5/p/trackID=0", tcp, "200 OK"},
       }) {
    Harness server = with_two_tracks();
    expect_answers(server, {said});
    EXPECT_THAT(server.asked, testing::ElementsAre(testing::StartsWith("read p?")));
  }
}

TEST(Oddities, OfTheSessionsOfReaders) {
  const std::string tcp = "Transport: RTP/AVP/TCP;interleaved=0-1\n";
  Harness server = with_two_tracks();
  server.rtp_info = {{0, 1, 2}};
  expect_answers(
      server,
      {{"Inone: a session of its own choice", "SETUP rtsp://h/p/trackID=0", tcp + "Session: mine\n", "Session: 1001"},
       {"Larix: the timeout sent back", "SETUP rtsp://h/p/trackID=1",
        "Transport: RTP/AVP/TCP;interleaved=2-3\nSession: 1001;timeout=60\n", "200 OK"},
       {"the aggregate's URL with a slash", "PLAY rtsp://user:pass@h/p/", "Session: 1001 ; timeout=60\nRange: npt=0-\n",
        "RTP-Info: url=rtsp://user:pass@h/p/trackID=0;seq=1;rtptime=2"},
       {"keeping alive with a method nobody has", "SET_PARAMETER rtsp://h/p", "Session: 1001\n", "200 OK"},
       {"a session that is none of ours while playing", "GET_PARAMETER rtsp://h/p", "Session: null\n", "200 OK"},
       {"minisatip: leaves without naming the session", "TEARDOWN rtsp://h/p", "", "200 OK"},
       {"twice", "TEARDOWN rtsp://h/p", "", "455"}});
  EXPECT_TRUE(server.sessions.empty());
}

TEST(Oddities, OfPublishers) {
  struct Case {
    const char *who;
    std::string announce, type, control, setup;
  };
  for (const Case &one : std::vector<Case>{
           {"FFmpeg", "rtsp://h/p", kSdpType, "streamid=0", "rtsp://h/p/streamid=0"},
           {"GStreamer: a query, and the track behind it", "rtsp://h/p?k=v", kSdpType, "stream=0",
            "rtsp://h/p?k=v/stream=0"},
           {"the track before the query", "rtsp://h/p?k=v", kSdpType, "stream=0", "rtsp://h/p/stream=0?k=v"},
           {"an absolute control", "rtsp://h/p", kSdpType, "rtsp://h/p/x?y=z", "rtsp://h/p/x?y=z"},
           {"an absolute control, another name of the server", "rtsp://h/p", kSdpType, "rtsp://1.2.3.4:8554/p/x",
            "rtsp://h/p/x"},
           {"a control with a query", "rtsp://h/p", kSdpType, "x?y=z", "rtsp://h/p/x?y=z"},
           {"a slash at the end", "rtsp://h/p", kSdpType, "track1/", "rtsp://h/p/track1"},
           {"no control, or that of the whole", "rtsp://h/p", kSdpType, "*", "rtsp://h/p"},
           {"the same, and a slash", "rtsp://h/p", kSdpType, "*", "rtsp://h/p/"},
           {"credentials in one of the URLs", "rtsp://u:p@h/p", kSdpType, "streamid=0", "rtsp://h/p/streamid=0"},
           {"a type with a parameter", "rtsp://h/p", "Content-Type: Application/SDP; charset=utf-8\n", "t",
            "rtsp://h/p/t"},
       }) {
    for (const char *mode : {";mode=record", ";mode=\"RECORD\"", ";mode=receive", ""}) { // RootEncoder says none
      Harness server;
      std::string session = "Session: null\n"; // RootEncoder, which is told none at ANNOUNCE
      expect_answers(server, {{one.who, "ANNOUNCE " + one.announce, one.type + "Session: \n", "200 OK",
                               kH264 + "a=control:" + one.control + "\r\n"},
                              {one.who, "SETUP " + one.setup,
                               "Transport: RTP/AVP/TCP;interleaved=0-1" + std::string(mode) + "\n" + session, "200 OK"},
                              {one.who, "RECORD rtsp://h/p", "Session: 1001\n", "200 OK"}});
    }
  }
}

TEST(Oddities, OfRequestsWithoutAnyState) {
  Harness server = with_two_tracks();
  for (const Said &said : std::vector<Said>{
           {"OPTIONS of everything", "OPTIONS *", "", "Public: "},
           {"OPTIONS of the server", "OPTIONS rtsp://h", "", "Public: "},
           {"TEARDOWN of nothing", "TEARDOWN rtsp://h/p", "", "455"},
           {"a session long gone", "TEARDOWN rtsp://h/p", "Session: 77\n", "454"},
           {"DESCRIBE of what can't be a path", "DESCRIBE rtsp://h/p%20", "", "400"},
           {"go2rtc: a back channel is required", "DESCRIBE rtsp://h/p", "Require: www.onvif.org/ver20/backchannel\n",
            "200 OK"},
           {"QuickTime: Accept of other things, too", "DESCRIBE rtsp://h/p",
            "Accept: application/rtsl, application/sdp\n", "application/sdp"},
       })
    expect_answers(server, {said});
  EXPECT_THAT(server.send_text("OPTIONS * RTSP/1.0\r\ncseq: a b\r\n\r\n"), HasSubstr("CSeq: a b\r\n"));
}

} // namespace
} // namespace sluice::rtsp
