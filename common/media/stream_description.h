// What a stream consists of: its tracks, in the order of their SDP sections. Lives in the header of the
// stream's ring and in control messages; a process that has it knows all there is to know to describe,
// packetise and depacketise the stream.
#pragma once

#include "common/base/bytes.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::media {

constexpr size_t kMaxTracks = 16;
constexpr size_t kMaxDescriptionBytes = size_t{16} * 1024 - 8; // encoded; what a ring's header has room for

enum class MediaKind : uint8_t { Video, Audio, Application };
inline bool is_valid(MediaKind kind) {
  return kind <= MediaKind::Application;
}

enum class Codec : uint8_t {
  Other, // passed through untouched; nothing is known but its clock rate
  H264,
  H265,
  Vp8,
  Vp9,
  Av1,
  MpegVideo, // MPEG-1 and MPEG-2, RFC 2250
  Mpeg4Video,
  Jpeg,
  Aac,     // mpeg4-generic, RFC 3640
  AacLatm, // MP4A-LATM, RFC 6416
  Opus,
  MpegAudio, // RFC 2250, MPA
  Pcmu,
  Pcma,
  Ac3,  // RFC 4184
  Flac, // common/rtp/packetizer.h: no RTP payload format in wide use; not offered to RTSP readers
};
inline bool is_valid(Codec codec) {
  return codec <= Codec::Flac;
}
std::string_view name_of(Codec codec); // as users know it: "H264", "MPEG-4 Audio"

struct Track {
  MediaKind kind = MediaKind::Video;
  Codec codec = Codec::Other;
  uint8_t payload_type = 0; // 0..127
  uint32_t clock_rate = 0;  // Hz, never 0 in a valid description
  uint8_t channels = 0;     // audio; 0 = not said
  std::string encoding;     // as in rtpmap, without clock rate: "H264", "mpeg4-generic"; "" = static payload type
  std::string fmtp;         // what follows the payload type in a=fmtp; "" = none

  bool operator==(const Track &) const = default;
};

struct StreamDescription {
  std::vector<Track> tracks; // 1..kMaxTracks

  bool operator==(const StreamDescription &) const = default;
};

template <class A> void visit(A &a, Track &t) {
  a(t.kind), a(t.codec), a(t.payload_type), a(t.clock_rate), a(t.channels), a(t.encoding), a(t.fmtp);
}

template <class A> void visit(A &a, StreamDescription &d) {
  a(d.tracks);
}

// The ranges stated above; a decoded description is checked with it before use.
bool is_valid(const StreamDescription &description);

} // namespace sluice::media
