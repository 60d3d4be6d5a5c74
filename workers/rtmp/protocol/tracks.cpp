#include "workers/rtmp/protocol/tracks.h"

#include "common/media/aac.h"
#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/flac.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/hevc_configuration.h"
#include "common/media/mpeg_audio.h"
#include "common/media/opus.h"
#include "common/media/vp9.h"
#include "common/rtp/depacketizer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtmp {

using media::Codec;
using media::MediaKind;

namespace {

constexpr uint32_t kVideoClock = 90000;
constexpr uint32_t kOpusClock = 48000;
constexpr uint32_t kTelephoneClock = 8000;

media::Track video_track(Codec codec, const char *encoding, std::string fmtp) {
  return {MediaKind::Video, codec, kVideoPayloadType, kVideoClock, 0, encoding, std::move(fmtp)};
}

media::Track audio_track(Codec codec, const char *encoding, uint32_t clock, uint8_t channels, std::string fmtp) {
  return {MediaKind::Audio, codec, kAudioPayloadType, clock, channels, encoding, std::move(fmtp)};
}

std::string hexadecimal(Bytes bytes) {
  std::string text;
  for (uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

template <class Configuration> TrackFacts with_sets(media::Track track, Configuration &&configuration) {
  TrackFacts facts{std::move(track), configuration.length_size, {}};
  for (ByteVector *set : {&configuration.sets.vps, &configuration.sets.sps, &configuration.sets.pps}) {
    if (!set->empty()) facts.configuration.push_back(std::move(*set));
  }
  for (ByteVector &set : configuration.further_sets) facts.configuration.push_back(std::move(set));
  return facts;
}

std::string av1_fmtp(Bytes sequence_header) {
  auto sequence = media::parse_av1_sequence_header(sequence_header);
  if (!sequence) return {};
  return fmt::format("profile={}; level-idx={}; tier={}", sequence->profile, sequence->level, sequence->tier);
}

Result<TrackFacts> describe_av1(const MediaTag &tag) {
  ByteVector header;
  if (tag.kind == TagKind::Configuration) {
    header = TRY(media::parse_av1_configuration(tag.body));
  } else {
    std::vector<Bytes> units;
    TRY(split_units(tag.codec, 0, tag.body, units));
    for (Bytes unit : units) {
      media::Obu obu = TRY(media::parse_obu(unit));
      if (obu.type == media::ObuType::SequenceHeader && header.empty()) media::append_obu(header, obu, false);
    }
  }
  TrackFacts facts{video_track(Codec::Av1, "AV1", av1_fmtp(header)), 0, {}};
  if (!header.empty()) facts.configuration.push_back(std::move(header));
  return facts;
}

Result<TrackFacts> describe_aac(Bytes body) {
  media::AacFormat format{.size_length = 13, .index_length = 3, .index_delta_length = 3, .simple = true, .config = {}};
  format.config = TRY(media::parse_aac_config(body));
  return TrackFacts{audio_track(Codec::Aac, "mpeg4-generic", format.config.sample_rate, format.config.channel_count,
                                media::write_aac_fmtp(format)),
                    0,
                    {}};
}

Result<TrackFacts> describe_opus(const MediaTag &tag) {
  uint8_t channels = 2;
  if (tag.kind == TagKind::Configuration) {
    media::OpusHeader header = TRY(media::parse_opus_header(tag.body));
    if (header.mapping_family != 0) return Error{"unsupported Opus channel mapping"};
    channels = header.channels;
  }
  // RFC 7587 section 7: always 48000/2
  return TrackFacts{
      audio_track(Codec::Opus, "opus", kOpusClock, 2, fmt::format("sprop-stereo={}", channels == 2 ? 1 : 0)), 0, {}};
}

Result<TrackFacts> describe_flac(Bytes body) {
  media::FlacStreamInfo info = TRY(media::parse_flac_stream_info(body));
  return TrackFacts{
      audio_track(Codec::Flac, "FLAC", info.sample_rate, info.channels, "streaminfo=" + hexadecimal(info.bytes)),
      0,
      {}};
}

Result<TrackFacts> describe_by_frame(const MediaTag &tag) {
  if (tag.codec == Codec::MpegAudio) {
    auto frame = media::parse_mpeg_audio_header(tag.body);
    if (!frame) return Error{"invalid MP3 packet: no frame header"};
    TrackFacts facts{audio_track(Codec::MpegAudio, "MPA", kVideoClock, frame->channels, {}), 0, {}};
    facts.track.payload_type = 14;
    return facts;
  }
  if (tag.codec == Codec::Ac3) {
    auto frame = media::parse_ac3_header(tag.body);
    if (!frame) return Error{"invalid AC-3 packet: no frame header"};
    return TrackFacts{audio_track(Codec::Ac3, "ac3", frame->sample_rate, frame->channels, {}), 0, {}};
  }
  bool mu_law = tag.codec == Codec::Pcmu;
  TrackFacts facts{audio_track(tag.codec, mu_law ? "PCMU" : "PCMA", kTelephoneClock, 1, {}), 0, {}};
  facts.track.payload_type = mu_law ? 0 : 8;
  if (tag.stereo) return Error{"unsupported G711 with two channels"};
  return facts;
}

} // namespace

bool needs_configuration(Codec codec) {
  return codec == Codec::H264 || codec == Codec::H265 || codec == Codec::Aac || codec == Codec::Flac;
}

std::string codec_name(const MediaTag &tag) {
  if (!tag.enhanced) return std::to_string(tag.codec_id);
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    auto c = static_cast<char>(tag.codec_id >> shift);
    name += c >= ' ' && c <= '~' ? c : '?';
  }
  return name;
}

Result<TrackFacts> describe_track(const MediaTag &tag) {
  bool configuration = tag.kind == TagKind::Configuration;
  if (!configuration && (tag.kind != TagKind::Frame || needs_configuration(tag.codec)))
    return Error{"the configuration of a track is missing"};
  switch (tag.codec) {
  case Codec::H264: {
    media::AvcConfiguration avc = TRY(media::parse_avc_configuration(tag.body));
    media::Track track = video_track(Codec::H264, "H264", media::write_h264_fmtp(avc.sets));
    return with_sets(std::move(track), std::move(avc));
  }
  case Codec::H265: {
    media::HevcConfiguration hevc = TRY(media::parse_hevc_configuration(tag.body));
    media::Track track = video_track(Codec::H265, "H265", media::write_h265_fmtp(hevc.sets));
    return with_sets(std::move(track), std::move(hevc));
  }
  case Codec::Av1:
    return describe_av1(tag);
  case Codec::Vp9: {
    if (!configuration) return TrackFacts{video_track(Codec::Vp9, "VP9", {}), 0, {}};
    media::Vp9Configuration vp9 = TRY(media::parse_vp9_configuration(tag.body));
    return TrackFacts{video_track(Codec::Vp9, "VP9", fmt::format("profile-id={}", vp9.profile)), 0, {}};
  }
  case Codec::Vp8:
    return TrackFacts{video_track(Codec::Vp8, "VP8", {}), 0, {}};
  case Codec::Aac:
    return describe_aac(tag.body);
  case Codec::Opus:
    return describe_opus(tag);
  case Codec::Flac:
    return describe_flac(tag.body);
  case Codec::MpegAudio:
  case Codec::Ac3:
  case Codec::Pcmu:
  case Codec::Pcma:
    return describe_by_frame(tag);
  default:
    return Error{
        fmt::format("unsupported {} codec {}", tag.media == MediaKind::Video ? "video" : "audio", codec_name(tag))};
  }
}

Result<void> split_units(Codec codec, uint8_t length_size, Bytes body, std::vector<Bytes> &units) {
  units.clear();
  bool nal_units = codec == Codec::H264 || codec == Codec::H265;
  if (!nal_units && codec != Codec::Av1) {
    if (!body.empty()) units.push_back(body);
    return {};
  }
  while (!body.empty()) {
    Bytes unit;
    if (nal_units) {
      size_t size = 0;
      if (body.size() < length_size) return Error{"invalid video packet: the length of a NAL unit is cut off"};
      for (size_t i = 0; i < length_size; i++) size = size << 8 | body[i];
      body = body.subspan(length_size);
      if (size > body.size()) return Error{"invalid video packet: a NAL unit does not fit"};
      unit = body.first(size);
    } else {
      media::Obu obu = TRY(media::parse_obu(body));
      unit = body.first(obu.size);
    }
    body = body.subspan(unit.size());
    if (unit.empty()) continue;
    if (units.size() == rtp::kMaxUnitsOfAccessUnit) return Error{"invalid video packet: too many units"};
    units.push_back(unit);
  }
  return {};
}

bool is_random_access(const MediaTag &tag, std::span<const Bytes> units) {
  if (tag.key_frame || tag.media == MediaKind::Audio) return true;
  return std::any_of(units.begin(), units.end(), [&](Bytes unit) {
    if (tag.codec == Codec::H264) return media::h264_nal_type(unit[0]) == media::H264Nal::Idr;
    return tag.codec == Codec::H265 && media::is_h265_irap(media::h265_nal_type(unit[0]));
  });
}

bool is_classic(const media::Track &track) {
  switch (track.codec) {
  case Codec::H264:
  case Codec::Aac:
  case Codec::AacLatm:
  case Codec::MpegAudio:
    return true;
  case Codec::Pcmu:
  case Codec::Pcma:
    return track.clock_rate == kTelephoneClock && track.channels <= 1;
  default:
    return false;
  }
}

Result<ByteVector> make_configuration(const media::Track &track, const media::ParameterSets &sets) {
  switch (track.codec) {
  case Codec::H264:
    return media::write_avc_configuration(sets);
  case Codec::H265:
    return media::write_hevc_configuration(sets);
  case Codec::Av1:
    if (sets.sps.empty()) return Error{"the AV1 sequence header is not known"};
    return media::write_av1_configuration(sets.sps);
  case Codec::Vp9: {
    media::Vp9Configuration vp9;
    std::string_view profile = media::fmtp_value(track.fmtp, "profile-id").value_or("0");
    if (profile.size() == 1 && profile[0] >= '0' && profile[0] <= '3') vp9.profile = profile[0] - '0';
    vp9.bit_depth = vp9.profile >= 2 ? 10 : 8;
    return media::write_vp9_configuration(vp9);
  }
  case Codec::Aac:
    return media::write_aac_config(TRY(media::parse_aac_format(track)).config);
  case Codec::AacLatm:
    return media::write_aac_config(TRY(media::parse_latm_format(track)));
  case Codec::Opus: {
    bool mono = media::fmtp_value(track.fmtp, "sprop-stereo").value_or("0") != "1";
    return media::write_opus_header({.channels = static_cast<uint8_t>(mono ? 1 : 2), .input_rate = kOpusClock});
  }
  case Codec::Flac:
    return media::write_flac_header(TRY(media::parse_flac_format(track)));
  default:
    return ByteVector{};
  }
}

AudioFormat audio_format(const media::Track &track, Bytes frame) {
  AudioFormat format{track.clock_rate, std::max<uint8_t>(track.channels, 1)};
  if (track.codec == Codec::MpegAudio) {
    if (auto header = media::parse_mpeg_audio_header(frame)) format = {header->sample_rate, header->channels};
  }
  return format;
}

void append_units(Codec codec, std::span<const Bytes> units, const media::ParameterSets &sets, ByteVector &body) {
  bool nal_units = codec == Codec::H264 || codec == Codec::H265;
  for (Bytes unit : units) {
    if (codec == Codec::Av1) {
      auto obu = media::parse_obu(unit);
      if (obu) media::append_obu(body, *obu, true);
      continue;
    }
    if (nal_units) {
      bool known = false;
      for (const ByteVector *set : {&sets.vps, &sets.sps, &sets.pps})
        known = known || (!set->empty() && std::equal(unit.begin(), unit.end(), set->begin(), set->end()));
      if (known) continue;
      for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<uint8_t>(unit.size() >> shift));
    }
    body.insert(body.end(), unit.begin(), unit.end());
  }
}

} // namespace sluice::rtmp
