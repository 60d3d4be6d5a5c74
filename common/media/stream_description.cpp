#include "common/media/stream_description.h"

#include <algorithm>

namespace sluice::media {

std::string_view name_of(Codec codec) {
  switch (codec) {
  case Codec::Other:
    return "Generic";
  case Codec::H264:
    return "H264";
  case Codec::H265:
    return "H265";
  case Codec::Vp8:
    return "VP8";
  case Codec::Vp9:
    return "VP9";
  case Codec::Av1:
    return "AV1";
  case Codec::MpegVideo:
    return "MPEG-1/2 Video";
  case Codec::Mpeg4Video:
    return "MPEG-4 Video";
  case Codec::Jpeg:
    return "M-JPEG";
  case Codec::Aac:
  case Codec::AacLatm:
    return "MPEG-4 Audio";
  case Codec::Opus:
    return "Opus";
  case Codec::MpegAudio:
    return "MPEG-1/2 Audio";
  case Codec::Pcmu:
  case Codec::Pcma:
    return "G711";
  case Codec::Ac3:
    return "AC-3";
  case Codec::Flac:
    return "FLAC";
  }
  return "Generic";
}

bool is_valid(const StreamDescription &description) {
  if (description.tracks.empty() || description.tracks.size() > kMaxTracks) return false;
  return std::all_of(description.tracks.begin(), description.tracks.end(),
                     [](const Track &track) { return track.payload_type < 128 && track.clock_rate > 0; });
}

} // namespace sluice::media
