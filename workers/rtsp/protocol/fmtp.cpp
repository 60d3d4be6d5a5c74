#include "workers/rtsp/protocol/fmtp.h"

#include "common/base/text.h"
#include "common/media/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

namespace sluice::rtsp {
namespace {

using media::Codec;
using media::fmtp_value;
using media::MediaKind;
using media::Track;

struct CodecName {
  Codec codec;
  MediaKind kind;
  std::string_view encoding;
};

constexpr CodecName kCodecNames[] = {
    {Codec::H264, MediaKind::Video, "H264"},
    {Codec::H265, MediaKind::Video, "H265"},
    {Codec::Vp8, MediaKind::Video, "VP8"},
    {Codec::Vp9, MediaKind::Video, "VP9"},
    {Codec::Av1, MediaKind::Video, "AV1"},
    {Codec::MpegVideo, MediaKind::Video, "MPV"},
    {Codec::Mpeg4Video, MediaKind::Video, "MP4V-ES"},
    {Codec::Jpeg, MediaKind::Video, "JPEG"},
    {Codec::Aac, MediaKind::Audio, "mpeg4-generic"},
    {Codec::AacLatm, MediaKind::Audio, "MP4A-LATM"},
    {Codec::Opus, MediaKind::Audio, "opus"},
    {Codec::MpegAudio, MediaKind::Audio, "MPA"},
    {Codec::Pcmu, MediaKind::Audio, "PCMU"},
    {Codec::Pcma, MediaKind::Audio, "PCMA"},
    {Codec::Ac3, MediaKind::Audio, "ac3"},
};

// The first bytes of a base64 text, six at most; fewer if it is shorter or not base64.
std::string decode_base64_prefix(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text.substr(0, 8)) {
    size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count);
  }
  return bytes;
}

// "640016" from the SPS among comma-separated parameter sets; empty when there is none.
std::string h264_profile(std::string_view sets) {
  while (!sets.empty()) {
    std::string start = decode_base64_prefix(trim(sets.substr(0, sets.find(','))));
    if (start.size() >= 4 && (start[0] & 0x1f) == 7) {
      return fmt::format("{:02X}{:02X}{:02X}", static_cast<uint8_t>(start[1]), static_cast<uint8_t>(start[2]),
                         static_cast<uint8_t>(start[3]));
    }
    size_t comma = sets.find(',');
    sets.remove_prefix(comma == std::string_view::npos ? sets.size() : comma + 1);
  }
  return {};
}

std::string h264_fmtp(std::string_view fmtp) {
  std::string_view sets = fmtp_value(fmtp, "sprop-parameter-sets").value_or("");
  std::string text = fmt::format("packetization-mode=1; sprop-parameter-sets={}", sets);
  std::string profile = h264_profile(sets);
  if (!profile.empty()) text += "; profile-level-id=" + profile;
  return text;
}

// Those of `keys` that have a value, in that order.
std::string selected_fmtp(std::string_view fmtp, std::initializer_list<std::string_view> keys) {
  std::string text;
  for (std::string_view key : keys) {
    std::optional<std::string_view> value = fmtp_value(fmtp, key);
    if (!value || value->empty()) continue;
    if (!text.empty()) text += "; ";
    text += fmt::format("{}={}", key, *value);
  }
  return text;
}

std::string h265_fmtp(std::string_view fmtp) {
  std::string text = selected_fmtp(fmtp, {"sprop-vps", "sprop-sps", "sprop-pps"});
  // Not 0: packets carry decoding order numbers, and whoever unpacks them has to know.
  std::string_view don = fmtp_value(fmtp, "sprop-max-don-diff").value_or("0");
  if (don == "0" || don.empty()) return text;
  return text + fmt::format("{}sprop-max-don-diff={}", text.empty() ? "" : "; ", don);
}

std::string_view without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

// Access units with AU headers of the usual kind; other modes of RFC 3640 stay as they are.
std::string aac_fmtp(const std::string &fmtp) {
  std::string_view mode = fmtp_value(fmtp, "mode").value_or("AAC-hbr");
  std::string config(without_quotes(fmtp_value(fmtp, "config").value_or("")));
  std::transform(config.begin(), config.end(), config.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  bool hex = !config.empty() && config.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!equal_ignoring_case(without_quotes(mode), "AAC-hbr") || !hex) return fmtp;

  std::string text = "profile-level-id=1; mode=AAC-hbr";
  for (std::string_view key : {"sizelength", "indexlength", "indexdeltalength"}) {
    std::string_view value = fmtp_value(fmtp, key).value_or("0");
    unsigned bits = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
    if (error != std::errc() || end != value.data() + value.size() || bits > 32) return fmtp;
    if (bits == 0 && key == "sizelength") return fmtp;
    if (bits != 0) text += fmt::format("; {}={}", key, bits);
  }
  return text + "; config=" + config;
}

std::string opus_fmtp(const Track &track) {
  std::string_view stereo = fmtp_value(track.fmtp, "sprop-stereo").value_or("");
  if (stereo != "0" && stereo != "1") stereo = track.channels == 2 ? "1" : "0";
  return fmt::format("sprop-stereo={}", stereo);
}

void normalise_encoding(Track &track) {
  auto name = std::find_if(std::begin(kCodecNames), std::end(kCodecNames),
                           [&](const CodecName &entry) { return entry.codec == track.codec; });
  if (name == std::end(kCodecNames)) return;
  std::optional<StaticPayload> assigned = static_payload(track.payload_type);
  bool is_static = assigned && assigned->encoding == name->encoding && assigned->clock_rate == track.clock_rate;
  bool pcm = track.codec == Codec::Pcmu || track.codec == Codec::Pcma;
  track.encoding = name->encoding;
  if (pcm && track.channels == 0) track.channels = 1;
  if (!is_static || pcm) return;
  track.channels = assigned->channels;
  if (track.codec != Codec::Jpeg) track.encoding.clear(); // the payload type says it all; not to all clients of cameras
}

} // namespace

std::optional<StaticPayload> static_payload(uint8_t payload_type) {
  static constexpr std::array<StaticPayload, 35> kAssigned = [] {
    std::array<StaticPayload, 35> table{};
    table[0] = {"PCMU", 8000, 1};
    table[3] = {"GSM", 8000, 1};
    table[4] = {"G723", 8000, 1};
    table[5] = {"DVI4", 8000, 1};
    table[6] = {"DVI4", 16000, 1};
    table[7] = {"LPC", 8000, 1};
    table[8] = {"PCMA", 8000, 1};
    table[9] = {"G722", 8000, 1};
    table[10] = {"L16", 44100, 2};
    table[11] = {"L16", 44100, 1};
    table[12] = {"QCELP", 8000, 1};
    table[13] = {"CN", 8000, 1};
    table[14] = {"MPA", 90000, 0};
    table[15] = {"G728", 8000, 1};
    table[16] = {"DVI4", 11025, 1};
    table[17] = {"DVI4", 22050, 1};
    table[18] = {"G729", 8000, 1};
    table[25] = {"CelB", 90000, 0};
    table[26] = {"JPEG", 90000, 0};
    table[28] = {"nv", 90000, 0};
    table[31] = {"H261", 90000, 0};
    table[32] = {"MPV", 90000, 0};
    table[33] = {"MP2T", 90000, 0};
    table[34] = {"H263", 90000, 0};
    return table;
  }();
  if (payload_type >= kAssigned.size() || kAssigned[payload_type].clock_rate == 0) return std::nullopt;
  return kAssigned[payload_type];
}

Codec codec_of(MediaKind kind, std::string_view encoding) {
  for (const CodecName &entry : kCodecNames) {
    if (entry.kind == kind && equal_ignoring_case(entry.encoding, encoding)) return entry.codec;
  }
  return Codec::Other;
}

void normalise(Track &track) {
  normalise_encoding(track);
  switch (track.codec) {
  case Codec::H264:
    track.fmtp = h264_fmtp(track.fmtp);
    break;
  case Codec::H265:
    track.fmtp = h265_fmtp(track.fmtp);
    break;
  case Codec::Vp8:
    track.fmtp = selected_fmtp(track.fmtp, {"max-fr", "max-fs"});
    break;
  case Codec::Vp9:
    track.fmtp = selected_fmtp(track.fmtp, {"max-fr", "max-fs", "profile-id"});
    break;
  case Codec::Aac:
    track.fmtp = aac_fmtp(track.fmtp);
    break;
  case Codec::Opus:
    track.fmtp = opus_fmtp(track);
    break;
  case Codec::Other:
  case Codec::Av1:
  case Codec::MpegVideo:
  case Codec::Mpeg4Video:
  case Codec::Jpeg:
  case Codec::AacLatm:
  case Codec::MpegAudio:
  case Codec::Pcmu:
  case Codec::Pcma:
  case Codec::Ac3:
  case Codec::Flac:
    break;
  }
}

} // namespace sluice::rtsp
