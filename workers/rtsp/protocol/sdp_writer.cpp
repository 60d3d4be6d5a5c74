#include "workers/rtsp/protocol/fmtp.h"
#include "workers/rtsp/protocol/sdp.h"

#include <fmt/format.h>

namespace sluice::rtsp {
namespace {

using media::Codec;
using media::Track;

std::string_view media_name(media::MediaKind kind) {
  switch (kind) {
  case media::MediaKind::Video:
    return "video";
  case media::MediaKind::Audio:
    return "audio";
  case media::MediaKind::Application:
    return "application";
  }
  return "application";
}

void write_track(Track track, size_t index, std::string &text) {
  normalise(track);
  unsigned payload_type = track.payload_type;
  text += fmt::format("m={} 0 RTP/AVP {}\r\n", media_name(track.kind), payload_type);
  if (!track.encoding.empty()) {
    text += fmt::format("a=rtpmap:{} {}/{}", payload_type, track.encoding, track.clock_rate);
    bool mono_pcm = track.channels == 1 && (track.codec == Codec::Pcmu || track.codec == Codec::Pcma);
    if (track.channels != 0 && !mono_pcm) text += fmt::format("/{}", track.channels);
    text += "\r\n";
  }
  if (!track.fmtp.empty()) text += fmt::format("a=fmtp:{} {}\r\n", payload_type, track.fmtp);
  text += fmt::format("a=control:trackID={}\r\n", index);
}

} // namespace

std::string write_sdp(const media::StreamDescription &description, std::string_view address) {
  std::string text = "v=0\r\n"
                     "o=- 0 0 IN IP4 127.0.0.1\r\n"
                     "s=Stream\r\n";
  text += fmt::format("c=IN IP4 {}\r\nt=0 0\r\n", address);
  for (size_t i = 0; i < description.tracks.size(); i++) {
    if (description.tracks[i].codec == Codec::Flac) continue; // no RTP payload format that readers know
    write_track(description.tracks[i], i, text);
  }
  return text;
}

} // namespace sluice::rtsp
