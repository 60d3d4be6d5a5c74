#include "workers/rtsp/protocol/fmtp.h"
#include "workers/rtsp/protocol/sdp.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

using media::Codec;
using media::MediaKind;
using media::Track;

const std::string kFfmpeg = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=No Name\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                            "a=tool:libavformat 59.27.100\r\n"
                            "m=video 0 RTP/AVP 96\r\nb=AS:1000\r\na=rtpmap:96 H264/90000\r\n"
                            "a=fmtp:96 packetization-mode=1; "
                            "sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==; profile-level-id=42C01E\r\n"
                            "a=control:streamid=0\r\n"
                            "m=audio 0 RTP/AVP 97\r\nb=AS:128\r\na=rtpmap:97 MPEG4-GENERIC/44100/2\r\n"
                            "a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; "
                            "config=121056E500\r\n"
                            "a=control:streamid=1\r\n";

ParsedSdp sdp_of(std::string_view text) {
  Result<ParsedSdp> parsed = parse_sdp(text);
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().message) << "\n" << text;
  return parsed ? *parsed : ParsedSdp{};
}

std::string error_of(std::string_view text) {
  Result<ParsedSdp> parsed = parse_sdp(text);
  return parsed ? "" : parsed.error().message;
}

// The lines of the only track, as they are written.
std::string rewritten(const std::string &section) {
  std::string text = write_sdp(sdp_of("v=0\r\n" + section).description);
  return text.substr(text.find("m="));
}

TEST(SdpWriter, NamesTheAddressThatItIsGiven) {
  media::StreamDescription none;
  EXPECT_NE(write_sdp(none, "224.1.0.0").find("\r\nc=IN IP4 224.1.0.0\r\nt=0 0\r\n"), std::string::npos);
}

TEST(Sdp, OfFfmpegIsParsed) {
  ParsedSdp parsed = sdp_of(kFfmpeg);
  ASSERT_EQ(parsed.description.tracks.size(), 2u);
  const Track &video = parsed.description.tracks[0];
  EXPECT_EQ(video.kind, MediaKind::Video);
  EXPECT_EQ(video.codec, Codec::H264);
  EXPECT_EQ(video.payload_type, 96);
  EXPECT_EQ(video.clock_rate, 90000u);
  EXPECT_EQ(video.encoding, "H264");
  const Track &audio = parsed.description.tracks[1];
  EXPECT_EQ(audio.codec, Codec::Aac);
  EXPECT_EQ(audio.clock_rate, 44100u);
  EXPECT_EQ(audio.channels, 2);
  EXPECT_EQ(parsed.controls, (std::vector<std::string>{"streamid=0", "streamid=1"}));
  EXPECT_TRUE(media::is_valid(parsed.description));
}

TEST(Sdp, IsWrittenInTheKnownByteLayout) {
  EXPECT_EQ(write_sdp(sdp_of(kFfmpeg).description),
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Stream\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==; "
            "profile-level-id=42C01E\r\na=control:trackID=0\r\n"
            "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/44100/2\r\n"
            "a=fmtp:97 profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; "
            "config=121056e500\r\na=control:trackID=1\r\n");
}

TEST(Sdp, ReadsBackWhatItWrites) {
  ParsedSdp first = sdp_of(kFfmpeg);
  ParsedSdp second = sdp_of(write_sdp(first.description));
  EXPECT_EQ(first.description, second.description);
  EXPECT_EQ(second.controls, (std::vector<std::string>{"trackID=0", "trackID=1"}));
}

TEST(Sdp, TruncatedAnywhereIsReadOrRefused) {
  size_t read = 0;
  for (size_t size = 0; size <= kFfmpeg.size(); size++) {
    Result<ParsedSdp> parsed = parse_sdp(std::string_view(kFfmpeg).substr(0, size));
    if (!parsed) continue;
    read++;
    EXPECT_EQ(sdp_of(write_sdp(parsed->description)).description, parsed->description) << size;
  }
  EXPECT_GT(read, 100u);
}

TEST(Sdp, FormatParametersAreOrderedPerCodec) {
  struct Case {
    std::string_view section, written;
  };
  for (const Case &one : {
           Case{"m=video 0 RTP/AVP 96\r\na=rtpmap:96 h264/90000\r\na=fmtp:96 profile-level-id=640016;"
                "packetization-mode=0\r\n",
                "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=\r\n"},
           Case{
               "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=aMuMsg==,Z2QAFqw=\r\n",
               "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=aMuMsg==,Z2QAFqw=; "
               "profile-level-id=640016\r\n"},
           Case{"m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-pps=cc; "
                "sprop-vps=aa;sprop-sps=bb\r\n",
                "a=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-vps=aa; sprop-sps=bb; sprop-pps=cc\r\n"},
           Case{"m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-max-don-diff=2\r\n",
                "a=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-max-don-diff=2\r\n"},
           Case{"m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\n", "a=rtpmap:97 H265/90000\r\n"},
           Case{"m=video 0 RTP/AVP 98\r\na=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2; max-fs=3600; max-fr=30\r\n",
                "a=rtpmap:98 VP9/90000\r\na=fmtp:98 max-fr=30; max-fs=3600; profile-id=2\r\n"},
           Case{"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/48000/1\r\na=fmtp:96 streamtype=5; mode=AAC-hbr; "
                "config=1188; SizeLength=13; IndexLength=0\r\n",
                "a=rtpmap:96 mpeg4-generic/48000/1\r\na=fmtp:96 profile-level-id=1; mode=AAC-hbr; sizelength=13; "
                "config=1188\r\n"},
           Case{"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/48000/1\r\na=fmtp:96 mode=AAC-lbr;sizelength=6\r\n",
                "a=rtpmap:96 mpeg4-generic/48000/1\r\na=fmtp:96 mode=AAC-lbr;sizelength=6\r\n"},
           Case{"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 OPUS/48000/2\r\n",
                "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 sprop-stereo=1\r\n"},
           Case{"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 sprop-stereo=0;useinbandfec=1\r\n",
                "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 sprop-stereo=0\r\n"},
           Case{"m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=fmtp:107 x; y=z\r\n",
                "a=rtpmap:107 vnd.onvif.metadata/90000\r\na=fmtp:107 x; y=z\r\n"},
           Case{"m=audio 0 RTP/AVP 96\r\na=rtpmap:96 vorbis/44100/2\r\na=fmtp:96 configuration=AAAB\r\n",
                "a=rtpmap:96 vorbis/44100/2\r\na=fmtp:96 configuration=AAAB\r\n"},
       }) {
    std::string text = rewritten(std::string(one.section));
    std::string media_line = text.substr(0, text.find("\r\n") + 2);
    EXPECT_EQ(text, media_line + std::string(one.written) + "a=control:trackID=0\r\n");
  }
}

TEST(Sdp, StaticPayloadTypesNeedNoRtpmap) {
  EXPECT_EQ(rewritten("m=audio 0 RTP/AVP 0\r\n"),
            "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:trackID=0\r\n");
  EXPECT_EQ(rewritten("m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\n"),
            "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:trackID=0\r\n");
  EXPECT_EQ(rewritten("m=audio 0 RTP/AVP 14\r\na=rtpmap:14 MPA/90000\r\n"),
            "m=audio 0 RTP/AVP 14\r\na=control:trackID=0\r\n");
  EXPECT_EQ(rewritten("m=video 0 RTP/AVP 32\r\n"), "m=video 0 RTP/AVP 32\r\na=control:trackID=0\r\n");
  for (std::string rtpmap : {"", "a=rtpmap:26 JPEG/90000\r\n", "a=rtpmap:26 jpeg/90000\r\n"})
    EXPECT_EQ(rewritten("m=video 0 RTP/AVP 26\r\n" + rtpmap),
              "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:trackID=0\r\n");
  EXPECT_EQ(sdp_of("m=video 0 RTP/AVP 26\r\n").description.tracks[0].codec, Codec::Jpeg);
  EXPECT_EQ(sdp_of("m=audio 0 RTP/AVP 9\r\n").description.tracks[0].clock_rate, 8000u);
  size_t assigned = 0;
  for (int payload_type = 0; payload_type < 128; payload_type++) {
    std::string section = "m=audio 0 RTP/AVP " + std::to_string(payload_type) + "\r\n";
    assigned += parse_sdp(section).has_value();
  }
  EXPECT_EQ(assigned, 24u);
}

TEST(Sdp, IsReadAsRealClientsWriteIt) {
  ParsedSdp camera =
      sdp_of("v=0\no=- 1 1 IN IP4 10.0.0.1\ns=Media Presentation\na=control:rtsp://10.0.0.1/p/\n\n"
             "m=video 0 RTP/AVP 26 96\na=recvonly\na=x-dimensions:704,576\na=framerate\n"
             "m=text 0 RTP/AVP 107\na=rtpmap:107  vnd.onvif.metadata/90000\na=control:rtsp://10.0.0.1/p/t");
  EXPECT_EQ(camera.session_control, "rtsp://10.0.0.1/p/");
  ASSERT_EQ(camera.description.tracks.size(), 2u);
  EXPECT_EQ(camera.description.tracks[0].payload_type, 26);
  EXPECT_EQ(camera.description.tracks[1].kind, MediaKind::Application);
  EXPECT_EQ(camera.controls, (std::vector<std::string>{"", "rtsp://10.0.0.1/p/t"}));

  ParsedSdp gstreamer = sdp_of("v=0\r\no=- 1188340656180883 1 IN IP4 127.0.0.1\r\ns=Session streamed with GStreamer\r\n"
                               "i=rtsp-server\r\nt=0 0\r\na=tool:GStreamer\r\na=type:broadcast\r\n"
                               "m=video 0 RTP/AVP 96\r\nc=IN IP4 127.0.0.1\r\na=rtpmap:96 H264/90000\r\n"
                               "a=framerate:30\r\na=fmtp:96 packetization-mode=1;profile-level-id=f4000d;"
                               "sprop-parameter-sets=Z/QADZGbKCg/YC1BgEFQAAADABAAAAMDyPFCmWA=,aOvsRIRA\r\n"
                               "a=ssrc:123 cname:user1\r\na=control:stream=0\r\n");
  EXPECT_EQ(gstreamer.description.tracks[0].fmtp,
            "packetization-mode=1; sprop-parameter-sets=Z/QADZGbKCg/YC1BgEFQAAADABAAAAMDyPFCmWA=,aOvsRIRA; "
            "profile-level-id=F4000D");
}

TEST(Sdp, IgnoresAttributesOfOtherPayloadTypes) {
  Track track = sdp_of("m=audio 0 RTP/AVP 97 98\r\na=rtpmap:98 x/1\r\na=rtpmap:97 L16/44100/2\r\na=rtpmap:97 y/2\r\n"
                       "a=fmtp:98 no\r\na=fmtp:97 yes\r\n")
                    .description.tracks[0];
  EXPECT_EQ(track.encoding, "L16");
  EXPECT_EQ(track.fmtp, "yes");
}

TEST(Sdp, IsRefusedWithAReason) {
  EXPECT_EQ(error_of(""), "no tracks found");
  EXPECT_EQ(error_of("v=0\r\n"), "no tracks found");
  EXPECT_EQ(error_of("garbage"), "no tracks found");
  EXPECT_EQ(error_of(std::string("a=x\0\r\n", 6)), "invalid character");
  EXPECT_EQ(error_of("m=video 0 RTP/AVP\r\n"), "invalid media line");
  EXPECT_EQ(error_of("m=video 0 RTP/AVP 128\r\n"), "track 0 has no valid payload type");
  EXPECT_EQ(error_of("m=video 0 RTP/AVP 96\r\n"), "clock rate of track 0 is not known");
  EXPECT_EQ(error_of("m=video 0 RTP/AVP 96\r\na=rtpmap:96 /90000\r\n"), "clock rate of track 0 is not known");
  EXPECT_EQ(error_of("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n"), "clock rate of track 0 is not known");
}

TEST(Sdp, SectionsThatCannotBeCarriedAreSetApart) {
  struct Case {
    std::string_view section, reason;
  };
  for (const Case &one : {
           Case{"m=text 0 RTP/AVP 98\r\na=rtpmap:98 t140\r\n", "clock rate of track 1 is not known"},
           Case{"m=application 0 RTP/AVP 107\r\n", "clock rate of track 1 is not known"},
           Case{"m=video 0 RTP/AVP 96\r\na=rtpmap:96 x/0\r\n", "clock rate of track 1 is not known"},
           Case{"m=message 0 TCP/MSRP *\r\n", "track 1 is not plain RTP but TCP/MSRP"},
           Case{"m=application 0 TCP/BFCP *\r\n", "track 1 is not plain RTP but TCP/BFCP"},
           Case{"m=application 9 udp wms\r\n", "track 1 is not plain RTP but udp"},
           Case{"m=data 0 udp 96\r\na=rtpmap:96 x/90000\r\n", "track 1 is not plain RTP but udp"},
           Case{"m=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n", "track 1 is not plain RTP but RTP/SAVP"},
           Case{"m=video 0 RTP/SAVPF 96\r\na=rtpmap:96 H264/90000\r\n", "track 1 is not plain RTP but RTP/SAVPF"},
           Case{"m=application 0 RTP/AVP *\r\n", "track 1 has no valid payload type"},
           Case{"m=application 0 RTP/AVP smart/1/90000\r\n", "track 1 has no valid payload type"},
           Case{"m=\r\n", "invalid media line"},
       }) {
    std::string video = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n";
    std::string audio = "m=audio 0 RTP/AVP 8\r\na=control:a\r\n";
    ParsedSdp parsed = sdp_of(video + std::string(one.section) + "a=control:x\r\n" + audio);
    ASSERT_EQ(parsed.description.tracks.size(), 2u) << one.section;
    EXPECT_EQ(parsed.description.tracks[1].codec, Codec::Pcma);
    EXPECT_EQ(parsed.controls, (std::vector<std::string>{"v", "a"}));
    EXPECT_EQ(parsed.positions, (std::vector<uint8_t>{0, 2}));
    ASSERT_EQ(parsed.ignored.size(), 1u);
    EXPECT_EQ(parsed.ignored[0].position, 1);
    EXPECT_EQ(parsed.ignored[0].control, "x");
    EXPECT_EQ(parsed.ignored[0].reason, one.reason);
  }
}

TEST(Sdp, WithNothingToCarryIsRefusedForTheFirstSection) {
  EXPECT_EQ(error_of("m=application 0 TCP/BFCP *\r\nm=video 0 RTP/AVP 96\r\n"),
            "track 0 is not plain RTP but TCP/BFCP");
}

TEST(Sdp, TellsTheDirectionOfEachTrack) {
  ParsedSdp parsed = sdp_of("v=0\r\na=sendonly\r\n"
                            "m=video 0 RTP/AVP 26\r\na=recvonly\r\n"
                            "m=video 0 RTP/AVP 96\r\na=sendonly\r\n"
                            "m=audio 0 RTP/AVP 0\r\na=control:x\r\n"
                            "m=audio 0 RTP/AVP 0\r\na=sendonly \r\n"
                            "m=audio 0 RTP/AVP 8\r\na=sendrecv\r\n"
                            "m=audio 0 RTP/AVP 8\r\na=inactive\r\n");
  EXPECT_EQ(parsed.directions,
            (std::vector<MediaDirection>{MediaDirection::RecvOnly, MediaDirection::Unsaid, MediaDirection::SendOnly,
                                         MediaDirection::SendRecv, MediaDirection::Inactive}));
}

TEST(Sdp, StaysWithinItsLimits) {
  std::string tracks;
  for (size_t i = 0; i < media::kMaxTracks; i++) tracks += "m=audio 0 RTP/AVP 0\r\n";
  EXPECT_EQ(error_of(tracks), "");
  EXPECT_EQ(error_of(tracks + "m=audio 0 RTP/AVP 0\r\n"), "more than 16 tracks");
  EXPECT_EQ(error_of(tracks + "m=application 0 TCP/BFCP *\r\n"), "more than 16 tracks");
  std::string track = "m=audio 0 RTP/AVP 0\r\n";
  EXPECT_EQ(error_of(track + "a=fmtp:0 " + std::string(kMaxFmtpBytes, 'x') + "\r\n"), "");
  EXPECT_EQ(error_of(track + "a=fmtp:0 " + std::string(kMaxFmtpBytes + 1, 'x') + "\r\n"),
            "fmtp of track 0 is too long");
  EXPECT_EQ(error_of(track + "a=control:" + std::string(kMaxControlBytes + 1, 'x') + "\r\n"),
            "control attribute is too long");
  EXPECT_EQ(error_of(track + "a=rtpmap:0 " + std::string(kMaxEncodingBytes + 1, 'x') + "/1\r\n"),
            "encoding name of track 0 is too long");
  EXPECT_EQ(error_of(track + std::string(kMaxSdpLines, '\n')), "more than 4096 lines");
  EXPECT_EQ(error_of(std::string(kMaxSdpBytes + 1, '\n')), "longer than 131072 bytes");
}

TEST(Sdp, WritesTracksThatWereNotAnnounced) {
  media::StreamDescription description;
  description.tracks.push_back({MediaKind::Video, Codec::H264, 96, 90000, 0, "", ""});
  description.tracks.push_back({MediaKind::Audio, Codec::Pcma, 8, 8000, 0, "", ""});
  std::string text = write_sdp(description);
  EXPECT_NE(text.find("a=rtpmap:96 H264/90000\r\n"), std::string::npos);
  EXPECT_NE(text.find("a=rtpmap:8 PCMA/8000\r\n"), std::string::npos);
  EXPECT_EQ(sdp_of(text).description.tracks.size(), 2u);
}

TEST(Sdp, OffersNoTrackThatRtspReadersCannotHave) {
  media::StreamDescription description;
  description.tracks.push_back({MediaKind::Audio, Codec::Flac, 97, 44100, 2, "FLAC", ""});
  description.tracks.push_back({MediaKind::Audio, Codec::Ac3, 97, 48000, 6, "ac3", ""});
  std::string sdp = write_sdp(description);
  EXPECT_EQ(sdp.find("FLAC"), std::string::npos);
  EXPECT_NE(sdp.find("a=rtpmap:97 ac3/48000/6\r\na=control:trackID=1\r\n"), std::string::npos) << sdp;
}

} // namespace
} // namespace sluice::rtsp
