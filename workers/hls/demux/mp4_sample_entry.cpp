// Sample entries: ISO/IEC 14496-12 section 12, 14496-14 section 5.6 (mp4a), 14496-15 (avc1, hvc1), and the bindings of
// AV1, VP9, Opus and AC-3 (ETSI TS 102 366 annex F).

#include "common/media/av1.h"
#include "common/media/avc_configuration.h"
#include "common/media/hevc_configuration.h"
#include "common/media/vp9.h"
#include "workers/hls/demux/mp4_boxes.h"
#include "workers/hls/demux/mp4_movie.h"
#include "workers/hls/demux/tracks.h"

#include <algorithm>
#include <array>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr size_t kVideoFields = 78; // of a VisualSampleEntry, before its boxes
constexpr size_t kAudioFields = 28; // of an AudioSampleEntry

Result<Bytes> configuration(Bytes boxes, const char (&type)[5]) {
  auto box = TRY(find_box(boxes, four_characters(type)));
  if (!box) return Error{std::string("invalid MP4: without ") + type};
  return *box;
}

// `in_band`: the parameter sets may come with the samples only (avc3, hev1); all that counts here is the length's size,
// at that place.
template <class Configuration>
Result<SampleEntry> nal_entry(Codec codec, Result<Configuration> configuration, bool in_band, Bytes box, size_t place) {
  if (!configuration && in_band && box.size() > place)
    return SampleEntry{codec, static_cast<uint8_t>((box[place] & 3) + 1), {}, {}};
  Configuration parsed = TRY(std::move(configuration));
  SampleEntry entry{codec, parsed.length_size, parsed.sets, {}};
  entry.track = codec == Codec::H264 ? h264_track(parsed.sets) : h265_track(parsed.sets);
  for (ByteVector &set : parsed.further_sets) entry.track.configuration.push_back(std::move(set));
  return entry;
}

Result<SampleEntry> avc_entry(Bytes boxes, bool in_band) {
  Bytes avcc = TRY(configuration(boxes, "avcC"));
  return nal_entry(Codec::H264, media::parse_avc_configuration(avcc), in_band, avcc, 4);
}

Result<SampleEntry> hevc_entry(Bytes boxes, bool in_band) {
  Bytes hvcc = TRY(configuration(boxes, "hvcC"));
  return nal_entry(Codec::H265, media::parse_hevc_configuration(hvcc), in_band, hvcc, 21);
}

Result<SampleEntry> av1_entry(Bytes boxes) {
  Bytes av1c = TRY(configuration(boxes, "av1C"));
  ByteVector header = TRY(media::parse_av1_configuration(av1c));
  SampleEntry entry{Codec::Av1, 0, {}, av1_track(header)};
  entry.sets.sps = std::move(header);
  return entry;
}

Result<SampleEntry> vp9_entry(Bytes boxes) {
  Bytes vpcc = TRY(configuration(boxes, "vpcC"));
  media::Vp9Configuration vp9 = TRY(media::parse_vp9_configuration(vpcc));
  return SampleEntry{Codec::Vp9, 0, {}, vp9_track(vp9.profile)};
}

// dOps: version (8) = 0, channels (8), pre-skip (16), input rate (32), gain (16), mapping family (8)
Result<SampleEntry> opus_entry(Bytes boxes) {
  Bytes dops = TRY(configuration(boxes, "dOps"));
  if (dops.size() < 11 || dops[0] != 0) return Error{"invalid MP4: dOps"};
  if (dops[10] != 0) return SampleEntry{}; // several streams in a packet
  return SampleEntry{Codec::Opus, 0, {}, opus_track(dops[1])};
}

// dac3: fscod (2), bsid (5), bsmod (3), acmod (3), lfeon (1), …
Result<SampleEntry> ac3_entry(Bytes boxes) {
  constexpr std::array<uint32_t, 3> kRates = {48000, 44100, 32000};
  constexpr std::array<uint8_t, 8> kChannels = {2, 1, 2, 3, 3, 4, 4, 5};
  Bytes dac3 = TRY(configuration(boxes, "dac3"));
  if (dac3.size() < 3 || dac3[0] >> 6 == 3) return Error{"invalid MP4: dac3"};
  unsigned mode = dac3[1] >> 3 & 7;
  auto channels = static_cast<uint8_t>(kChannels[mode] + (dac3[1] >> 2 & 1));
  return SampleEntry{Codec::Ac3, 0, {}, ac3_track(kRates[dac3[0] >> 6], channels)};
}

// ISO/IEC 14496-1 section 8.3.3: tag (8), length in groups of 7 bits, body.
struct Descriptor {
  uint8_t tag = 0;
  ByteReader body;
};

std::optional<Descriptor> take_descriptor(ByteReader &reader) {
  auto tag = reader.u8();
  size_t length = 0;
  for (int i = 0; i < 4; i++) {
    auto byte = reader.u8();
    if (!byte) return std::nullopt;
    length = length << 7 | (*byte & 0x7fU);
    if ((*byte & 0x80) == 0) break;
  }
  auto body = reader.bytes(length);
  if (!tag || !body) return std::nullopt;
  return Descriptor{*tag, ByteReader(*body)};
}

struct Esds {
  uint8_t object_type = 0;
  Bytes specific; // DecoderSpecificInfo
};

// ES_Descriptor (3): ES_ID (16), flags (8) and what they announce, DecoderConfigDescriptor (4): objectTypeIndication
// (8), 12 bytes, DecoderSpecificInfo (5)
Result<Esds> parse_esds(Bytes body) {
  Error error{"invalid MP4: esds"};
  FullBox box = TRY(open_full_box(body));
  auto stream = take_descriptor(box.rest);
  if (!stream || stream->tag != 3) return error;
  auto id = stream->body.u16();
  auto flags = stream->body.u8();
  if (!id || !flags) return error;
  if ((*flags & 0x80) != 0 && !stream->body.u16()) return error;
  if ((*flags & 0x40) != 0 && !stream->body.bytes(stream->body.u8().value_or(0))) return error;
  if ((*flags & 0x20) != 0 && !stream->body.u16()) return error;
  auto config = take_descriptor(stream->body);
  if (!config || config->tag != 4) return error;
  Esds esds;
  auto type = config->body.u8();
  if (!type || !config->body.bytes(12)) return error;
  esds.object_type = *type;
  if (auto specific = take_descriptor(config->body); specific && specific->tag == 5)
    esds.specific = specific->body.rest();
  return esds;
}

Result<SampleEntry> mp4a_entry(Bytes boxes, uint8_t channels, uint32_t sample_rate) {
  constexpr unsigned kMp3OnMp4 = 34; // audio object type, the first 5 bits of the AudioSpecificConfig
  Bytes body = TRY(configuration(boxes, "esds"));
  Esds esds = TRY(parse_esds(body));
  switch (esds.object_type) {
  case 0x69:
  case 0x6b:
    return SampleEntry{Codec::MpegAudio, 0, {}, mpeg_audio_track(channels)};
  case 0xa5:
    return SampleEntry{Codec::Ac3, 0, {}, ac3_track(sample_rate, channels)};
  case 0x40:
  case 0x66:
  case 0x67:
  case 0x68:
    break;
  default:
    return SampleEntry{};
  }
  bool escaped = !esds.specific.empty() && esds.specific[0] >> 3 == 31;
  bool mp3 =
      escaped && esds.specific.size() >= 2 && 32U + ((esds.specific[0] & 7U) << 3 | esds.specific[1] >> 5) == kMp3OnMp4;
  if (mp3) return SampleEntry{Codec::MpegAudio, 0, {}, mpeg_audio_track(channels)};
  media::AacConfig config = TRY(media::parse_aac_config(esds.specific));
  return SampleEntry{Codec::Aac, 0, {}, aac_track(config)};
}

// AudioSampleEntry: 6 zeros, reference (16) | version (16), 6 bytes | channels (16), bits (16), 4 bytes, rate (16.16),
// and in files of QuickTime's kind more, by version.
Result<SampleEntry> audio_entry(uint32_t type, Bytes body) {
  if (body.size() < kAudioFields) return Error{"invalid MP4: an audio sample entry is too short"};
  unsigned version = load_be16(&body[8]);
  auto channels = static_cast<uint8_t>(std::min<unsigned>(load_be16(&body[16]), 8));
  uint32_t sample_rate = load_be32(&body[24]) >> 16;
  size_t fields = kAudioFields + (version == 1 ? 16U : version == 2 ? 36U : 0U);
  if (body.size() < fields) return Error{"invalid MP4: an audio sample entry is too short"};
  Bytes boxes = body.subspan(fields);
  if (type == four_characters("Opus")) return opus_entry(boxes);
  if (type == four_characters("ac-3")) return ac3_entry(boxes);
  if (type == four_characters(".mp3")) return SampleEntry{Codec::MpegAudio, 0, {}, mpeg_audio_track(channels)};
  return mp4a_entry(boxes, channels, sample_rate);
}

} // namespace

Result<SampleEntry> parse_sample_entry(uint32_t type, Bytes body) {
  switch (type) {
  case four_characters("mp4a"):
  case four_characters("Opus"):
  case four_characters("ac-3"):
  case four_characters(".mp3"):
    return audio_entry(type, body);
  case four_characters("avc1"):
  case four_characters("avc3"):
  case four_characters("hvc1"):
  case four_characters("hev1"):
  case four_characters("av01"):
  case four_characters("vp09"):
    break;
  default:
    return SampleEntry{};
  }
  if (body.size() < kVideoFields) return Error{"invalid MP4: a video sample entry is too short"};
  Bytes boxes = body.subspan(kVideoFields);
  if (type == four_characters("av01")) return av1_entry(boxes);
  if (type == four_characters("vp09")) return vp9_entry(boxes);
  bool in_band = type == four_characters("avc3") || type == four_characters("hev1");
  bool avc = type == four_characters("avc1") || type == four_characters("avc3");
  return avc ? avc_entry(boxes, in_band) : hevc_entry(boxes, in_band);
}

} // namespace sluice::hls
