#include "workers/hls/mux/track_format.h"

#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/flac.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/hevc_configuration.h"
#include "common/media/mpeg_audio.h"
#include "common/media/vp9.h"
#include "workers/hls/mux/codecs.h"

#include <algorithm>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr Nanoseconds kUsualFrameDuration = kSecond / 30;
constexpr Nanoseconds kUsualOpusDuration = 20 * kMillisecond;
constexpr uint32_t kOpusRate = 48000;
constexpr double kUsualFrameRate = 30;

TrackFormat video_format(Codec codec, uint32_t width, uint32_t height, std::optional<Nanoseconds> frame_duration) {
  TrackFormat format;
  format.codec = codec;
  format.video = true;
  format.width = width;
  format.height = height;
  format.unit_duration = frame_duration.value_or(kUsualFrameDuration);
  if (frame_duration) format.frame_rate = static_cast<double>(kSecond) / static_cast<double>(*frame_duration);
  return format;
}

TrackFormat audio_format(Codec codec, uint32_t timescale, uint32_t sample_rate, uint8_t channels, uint32_t samples) {
  TrackFormat format;
  format.codec = codec;
  format.timescale = timescale;
  format.sample_rate = sample_rate;
  format.channels = channels;
  format.unit_duration = std::max<Nanoseconds>(1, kSecond * samples / sample_rate);
  return format;
}

Result<TrackFormat> h264_format(const media::ParameterSets &sets) {
  if (sets.sps.size() < 4) return Error{"the H264 parameter sets are not known"};
  media::H264Sps sps = TRY(media::parse_h264_sps(sets.sps));
  TrackFormat format = video_format(Codec::H264, sps.width, sps.height, sps.frame_duration);
  format.configuration = TRY(media::write_avc_configuration(sets));
  format.codecs = avc_codec(sets.sps);
  return format;
}

Result<TrackFormat> h265_format(const media::ParameterSets &sets) {
  media::H265Sps sps = TRY(media::parse_h265_sps(sets.sps));
  TrackFormat format = video_format(Codec::H265, sps.width, sps.height, sps.frame_duration);
  format.configuration = TRY(media::write_hevc_configuration(sets));
  format.codecs = hevc_codec(sps);
  return format;
}

Result<TrackFormat> av1_format(const media::ParameterSets &sets) {
  if (sets.sps.empty()) return Error{"the AV1 sequence header is not known"};
  media::Av1Sequence sequence = TRY(media::parse_av1_sequence_header(sets.sps));
  TrackFormat format = video_format(Codec::Av1, sequence.width, sequence.height, std::nullopt);
  format.configuration = TRY(media::write_av1_configuration(sets.sps));
  format.codecs = av1_codec(sequence);
  return format;
}

Result<TrackFormat> aac_format(const media::AacConfig &config, uint32_t clock_rate) {
  TrackFormat format =
      audio_format(Codec::Aac, clock_rate, config.sample_rate, config.channel_count, config.frame_samples());
  format.aac = config;
  format.configuration = media::write_aac_config(config);
  format.codecs = aac_codec(config);
  return format;
}

// OpusSpecificBox ("Encapsulation of Opus in ISO Base Media File Format" section 4.3.2). Whoever joins a live stream
// has no samples to skip.
TrackFormat opus_format(const media::Track &track) {
  bool mono = media::fmtp_value(track.fmtp, "sprop-stereo").value_or("1") == "0";
  TrackFormat format = audio_format(Codec::Opus, kOpusRate, kOpusRate, mono ? 1 : 2,
                                    static_cast<uint32_t>(kOpusRate * kUsualOpusDuration / kSecond));
  format.configuration = ByteVector(11); // version, channels, pre-skip (16), rate (32), gain (16), mapping family
  format.configuration[1] = format.channels;
  store_be32(format.configuration.data() + 4, kOpusRate);
  format.codecs = kOpusCodec;
  return format;
}

// FLACSpecificBox ("Encapsulation of FLAC in ISO Base Media File Format" section 3.3.2): version, flags, then metadata
// blocks as in a file.
Result<TrackFormat> flac_format(const media::Track &track) {
  media::FlacStreamInfo info = TRY(media::parse_flac_format(track));
  TrackFormat format =
      audio_format(Codec::Flac, info.sample_rate, info.sample_rate, info.channels, info.max_block_samples);
  constexpr size_t kVersion = 4;
  ByteVector header = media::write_flac_header(info); // after "fLaC", as long as version and flags
  std::fill_n(header.begin(), kVersion, uint8_t{0});
  format.configuration = std::move(header);
  format.codecs = kFlacCodec;
  return format;
}

// AC3SpecificBox (ETSI TS 102 366 annex F.4): fscod (2), bsid (5), bsmod (3), acmod (3), lfeon (1), bit_rate_code (5),
// reserved (5).
Result<TrackFormat> ac3_format(Bytes frame) {
  auto header = media::parse_ac3_header(frame);
  if (!header) return Error{"not an AC-3 frame"};
  TrackFormat format =
      audio_format(Codec::Ac3, header->sample_rate, header->sample_rate, header->channels, media::kAc3FrameSamples);
  unsigned bits = header->rate_code << 22u | header->bsid << 17u | header->bsmod << 14u | header->acmod << 11u |
                  (header->low_frequencies ? 1u << 10 : 0) | header->bit_rate_code << 5u;
  format.configuration = {static_cast<uint8_t>(bits >> 16), static_cast<uint8_t>(bits >> 8),
                          static_cast<uint8_t>(bits)};
  format.codecs = kAc3Codec;
  return format;
}

Result<TrackFormat> mp3_format(Bytes frame) {
  auto header = media::parse_mpeg_audio_header(frame);
  if (!header) return Error{"not an MPEG audio frame"};
  TrackFormat format =
      audio_format(Codec::MpegAudio, header->sample_rate, header->sample_rate, header->channels, header->samples);
  format.codecs = kMp3Codec;
  return format;
}

// The frame rate does not stand in it: the level is that of a usual one.
Result<TrackFormat> vp9_format(Bytes frame) {
  auto key = media::parse_vp9_key_frame(frame);
  if (!key) return Error{"not a VP9 key frame"};
  TrackFormat format = video_format(Codec::Vp9, key->width, key->height, std::nullopt);
  key->configuration.level = media::vp9_level(key->width, key->height, kUsualFrameRate);
  format.configuration = media::write_vp9_configuration(key->configuration);
  format.codecs = vp9_codec(key->configuration);
  return format;
}

} // namespace

bool can_mux(Variant variant, Codec codec) {
  switch (codec) {
  case Codec::H264:
  case Codec::Aac:
  case Codec::AacLatm:
  case Codec::MpegAudio:
  case Codec::Ac3:
    return true;
  case Codec::H265:
  case Codec::Av1:
  case Codec::Vp9:
  case Codec::Opus:
  case Codec::Flac:
    return variant != Variant::MpegTs;
  case Codec::Other:
  case Codec::Vp8:
  case Codec::MpegVideo:
  case Codec::Mpeg4Video:
  case Codec::Jpeg:
  case Codec::Pcmu:
  case Codec::Pcma:
    return false;
  }
  return false;
}

bool is_told_by_frames(Codec codec) {
  return codec == Codec::MpegAudio || codec == Codec::Ac3 || codec == Codec::Vp9;
}

uint32_t format_key(Codec codec, Bytes frame) {
  constexpr uint32_t kPresent = 1u << 31;
  if (codec == Codec::Ac3 && frame.size() >= 7)
    return kPresent | (frame[4] & 0xfeu) << 16 | static_cast<uint32_t>(frame[5]) << 8 | frame[6];
  if (codec == Codec::MpegAudio && frame.size() >= 4) // version, layer; sampling frequency; mode
    return kPresent | (frame[1] & 0xfeu) << 16 | (frame[2] & 0x0cu) << 8 | (frame[3] & 0xc0u);
  return 0;
}

Result<TrackFormat> make_format(const media::Track &track, const media::ParameterSets &sets) {
  switch (track.codec) {
  case Codec::H264:
    return h264_format(sets);
  case Codec::H265:
    return h265_format(sets);
  case Codec::Av1:
    return av1_format(sets);
  case Codec::Aac:
    return aac_format(TRY(media::parse_aac_format(track)).config, track.clock_rate);
  case Codec::AacLatm:
    return aac_format(TRY(media::parse_latm_format(track)), track.clock_rate);
  case Codec::Opus:
    return opus_format(track);
  case Codec::Flac:
    return flac_format(track);
  default:
    return Error{"the format is not known"};
  }
}

Result<TrackFormat> make_format(const media::Track &track, Bytes frame) {
  switch (track.codec) {
  case Codec::MpegAudio:
    return mp3_format(frame);
  case Codec::Ac3:
    return ac3_format(frame);
  case Codec::Vp9:
    return vp9_format(frame);
  default:
    return Error{"the format is not told by frames"};
  }
}

} // namespace sluice::hls
