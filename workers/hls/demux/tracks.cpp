#include "workers/hls/demux/tracks.h"

#include "common/media/av1.h"

#include <fmt/format.h>

#include <utility>

namespace sluice::hls {

using media::Codec;
using media::MediaKind;

namespace {

constexpr uint8_t kVideoPayloadType = 96;
constexpr uint8_t kAudioPayloadType = 97;
constexpr uint8_t kMpegAudioPayloadType = 14; // RFC 3551
constexpr uint32_t kVideoClock = 90000;
constexpr uint32_t kOpusClock = 48000;

media::Track video(Codec codec, const char *encoding, std::string fmtp) {
  return {MediaKind::Video, codec, kVideoPayloadType, kVideoClock, 0, encoding, std::move(fmtp)};
}

media::Track audio(Codec codec, const char *encoding, uint32_t clock, uint8_t channels, std::string fmtp) {
  return {MediaKind::Audio, codec, kAudioPayloadType, clock, channels, encoding, std::move(fmtp)};
}

} // namespace

FoundTrack h264_track(const media::ParameterSets &sets) {
  return {video(Codec::H264, "H264", media::write_h264_fmtp(sets)), {sets.sps, sets.pps}};
}

FoundTrack h265_track(const media::ParameterSets &sets) {
  return {video(Codec::H265, "H265", media::write_h265_fmtp(sets)), {sets.vps, sets.sps, sets.pps}};
}

FoundTrack av1_track(Bytes sequence_header) {
  FoundTrack found{video(Codec::Av1, "AV1", {}), {}};
  if (sequence_header.empty()) return found;
  found.configuration.emplace_back(sequence_header.begin(), sequence_header.end());
  if (auto sequence = media::parse_av1_sequence_header(sequence_header)) {
    found.track.fmtp =
        fmt::format("profile={}; level-idx={}; tier={}", sequence->profile, sequence->level, sequence->tier);
  }
  return found;
}

FoundTrack vp9_track(uint8_t profile) {
  return {video(Codec::Vp9, "VP9", fmt::format("profile-id={}", profile)), {}};
}

FoundTrack aac_track(const media::AacConfig &config) {
  media::AacFormat format{
      .size_length = 13, .index_length = 3, .index_delta_length = 3, .simple = true, .config = config};
  return {audio(Codec::Aac, "mpeg4-generic", config.sample_rate, config.channel_count, media::write_aac_fmtp(format)),
          {}};
}

FoundTrack opus_track(uint8_t channels) {
  // RFC 7587 section 7: always 48000/2
  return {audio(Codec::Opus, "opus", kOpusClock, 2, fmt::format("sprop-stereo={}", channels == 2 ? 1 : 0)), {}};
}

FoundTrack mpeg_audio_track(uint8_t channels) {
  FoundTrack found{audio(Codec::MpegAudio, "MPA", kVideoClock, channels, {}), {}};
  found.track.payload_type = kMpegAudioPayloadType;
  return found;
}

FoundTrack ac3_track(uint32_t sample_rate, uint8_t channels) {
  return {audio(Codec::Ac3, "ac3", sample_rate, channels, {}), {}};
}

} // namespace sluice::hls
