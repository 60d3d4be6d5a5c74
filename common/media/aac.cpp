#include "common/media/aac.h"

#include "common/media/bit_reader.h"
#include "common/media/parameters.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace sluice::media {

namespace {

constexpr std::array<uint32_t, 13> kSampleRates = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                                   22050, 16000, 12000, 11025, 8000,  7350};
constexpr uint32_t kExplicitRate = 15;
constexpr uint32_t kSbr = 5;
constexpr uint32_t kPs = 29;
constexpr uint32_t kSyncExtensionSbr = 0x2b7;
constexpr uint32_t kSyncExtensionPs = 0x548;

uint32_t read_object_type(BitReader &reader) {
  uint32_t type = reader.bits(5);
  return type == 31 ? 32 + reader.bits(6) : type;
}

// 0 = reserved.
uint32_t read_sample_rate(BitReader &reader) {
  uint32_t index = reader.bits(4);
  if (index == kExplicitRate) return reader.bits(24);
  return index < kSampleRates.size() ? kSampleRates[index] : 0;
}

// Backward-compatible signalling after the core configuration, section 1.6.5.
void read_sync_extension(BitReader &reader, AacConfig &config) {
  if (config.sbr || reader.left() < 16 || reader.bits(11) != kSyncExtensionSbr) return;
  if (read_object_type(reader) != kSbr || !reader.flag()) return;
  uint32_t rate = read_sample_rate(reader);
  if (!reader.ok() || rate == 0) return;
  config.sbr = true;
  config.extension_sample_rate = rate;
  if (reader.left() >= 12 && reader.bits(11) == kSyncExtensionPs) config.ps = reader.flag();
}

class BitWriter {
public:
  void bits(uint32_t value, unsigned count) {
    for (unsigned i = count; i-- > 0;) {
      if (used_ % 8 == 0) out_.push_back(0);
      if (value >> i & 1) out_.back() |= static_cast<uint8_t>(0x80 >> used_ % 8);
      used_++;
    }
  }
  void sample_rate(uint32_t rate) {
    for (size_t i = 0; i < kSampleRates.size(); i++) {
      if (kSampleRates[i] == rate) return bits(static_cast<uint32_t>(i), 4);
    }
    bits(kExplicitRate, 4);
    bits(rate, 24);
  }
  ByteVector take() { return std::move(out_); }

private:
  ByteVector out_;
  size_t used_ = 0;
};

Result<ByteVector> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return Error{"invalid AAC configuration: odd number of digits"};
  ByteVector out;
  for (size_t i = 0; i < text.size(); i += 2) {
    uint8_t value = 0;
    auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2) return Error{"invalid AAC configuration: not hexadecimal"};
    out.push_back(value);
  }
  return out;
}

// A length in bits, 0 when the parameter is not there.
Result<uint8_t> read_length(const Track &track, std::string_view name) {
  auto text = fmtp_value(track.fmtp, name);
  if (!text) return uint8_t{0};
  uint8_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value > 32)
    return Error{fmt::format("invalid AAC parameter {}: '{}'", name, *text)};
  return value;
}

} // namespace

Result<AacConfig> parse_aac_config(Bytes bytes) {
  BitReader reader(bytes);
  AacConfig config;
  uint32_t type = read_object_type(reader);
  config.sample_rate = read_sample_rate(reader);
  uint32_t channels = reader.bits(4);
  if (type == kSbr || type == kPs) {
    config.sbr = true;
    config.ps = type == kPs;
    config.extension_sample_rate = read_sample_rate(reader);
    type = read_object_type(reader);
    if (reader.ok() && config.extension_sample_rate == 0) return Error{"invalid AAC configuration: sample rate"};
  }
  if (!reader.ok()) return Error{"invalid AAC configuration: too short"};
  if (type < 1 || type > 4) return Error{fmt::format("unsupported type {}", type)};
  if (config.sample_rate == 0) return Error{"invalid AAC configuration: sample rate"};
  if (channels < 1 || channels > 7) return Error{fmt::format("unsupported AAC channel configuration {}", channels)};
  config.object_type = static_cast<uint8_t>(type);
  config.channel_count = static_cast<uint8_t>(channels == 7 ? 8 : channels);
  // GASpecificConfig, section 4.4.1
  config.short_frames = reader.flag();
  config.depends_on_core_coder = reader.flag();
  if (config.depends_on_core_coder) config.core_coder_delay = static_cast<uint16_t>(reader.bits(14));
  reader.skip(1); // extensionFlag: 0 for these object types
  if (!reader.ok()) return Error{"invalid AAC configuration: too short"};
  read_sync_extension(reader, config);
  return config;
}

ByteVector write_aac_config(const AacConfig &config) {
  BitWriter writer;
  writer.bits(config.ps ? kPs : config.sbr ? kSbr : config.object_type, 5);
  writer.sample_rate(config.sample_rate);
  writer.bits(config.channel_count == 8 ? 7u : config.channel_count, 4);
  if (config.sbr || config.ps) {
    writer.sample_rate(config.extension_sample_rate);
    writer.bits(config.object_type, 5);
  }
  writer.bits(config.short_frames, 1);
  writer.bits(config.depends_on_core_coder, 1);
  if (config.depends_on_core_coder) writer.bits(config.core_coder_delay, 14);
  writer.bits(0, 1);
  return writer.take();
}

Result<std::array<uint8_t, kAdtsHeaderSize>> make_adts_header(const AacConfig &config, size_t frame_size) {
  uint32_t rate = 0;
  while (rate < kSampleRates.size() && kSampleRates[rate] != config.sample_rate) rate++;
  if (rate == kSampleRates.size() || config.short_frames) return Error{"this AAC can't be carried with ADTS headers"};
  if (frame_size > kMaxAdtsFrame) return Error{"an AAC frame is too large for ADTS"};
  uint32_t channels = config.channel_count == 8 ? 7u : config.channel_count;
  uint32_t profile = config.object_type - 1u;
  size_t size = kAdtsHeaderSize + frame_size;
  return std::array<uint8_t, kAdtsHeaderSize>{0xff, // syncword (12), ID (1) = MPEG-4, layer (2), no CRC (1)
                                              0xf1,
                                              static_cast<uint8_t>(profile << 6 | rate << 2 | channels >> 2),
                                              static_cast<uint8_t>(channels << 6 | size >> 11),
                                              static_cast<uint8_t>(size >> 3),
                                              static_cast<uint8_t>(size << 5 | 0x1f), // buffer fullness: not stated
                                              0xfc};
}

Result<AacFormat> parse_aac_format(const Track &track) {
  if (track.codec != Codec::Aac) return Error{"not an AAC track"};
  AacFormat format;
  format.size_length = TRY(read_length(track, "sizelength"));
  format.index_length = TRY(read_length(track, "indexlength"));
  format.index_delta_length = TRY(read_length(track, "indexdeltalength"));
  for (const char *name : {"ctsdeltalength", "dtsdeltalength", "randomaccessindication", "streamstateindication",
                           "auxiliarydatasizelength"}) {
    auto value = fmtp_value(track.fmtp, name);
    if (value && *value != "0") format.simple = false;
  }
  auto config = fmtp_value(track.fmtp, "config");
  if (!config) return Error{"the AAC configuration is missing"};
  ByteVector bytes = TRY(parse_hex(*config));
  format.config = TRY(parse_aac_config(bytes));
  return format;
}

// StreamMuxConfig, ISO/IEC 14496-3 section 1.7.3.1: audioMuxVersion (1), allStreamsSameTimeFraming (1), numSubFrames
// (6), numProgram (4), numLayer (3), then the AudioSpecificConfig at once, and more that does not matter here.
Result<AacConfig> parse_latm_format(const Track &track) {
  if (track.codec != Codec::AacLatm) return Error{"not a LATM track"};
  if (fmtp_value(track.fmtp, "cpresent").value_or("1") != "0")
    return Error{"unsupported LATM: the configuration is in the stream"};
  ByteVector bytes = TRY(parse_hex(fmtp_value(track.fmtp, "config").value_or("")));
  BitReader reader(bytes);
  bool version = reader.flag();
  bool same_framing = reader.flag();
  uint32_t further = reader.bits(6) | reader.bits(4) | reader.bits(3); // subframes, programs, layers
  if (!reader.ok()) return Error{"invalid LATM configuration: too short"};
  if (version || !same_framing || further != 0) return Error{"unsupported LATM configuration"};
  ByteVector shifted;
  while (reader.left() >= 8) shifted.push_back(static_cast<uint8_t>(reader.bits(8)));
  if (reader.left() > 0) {
    auto left = static_cast<unsigned>(reader.left());
    shifted.push_back(static_cast<uint8_t>(reader.bits(left) << (8 - left)));
  }
  return parse_aac_config(shifted);
}

std::string write_aac_fmtp(const AacFormat &format) {
  std::string out = "profile-level-id=1; mode=AAC-hbr";
  if (format.size_length > 0) out += fmt::format("; sizelength={}", format.size_length);
  if (format.index_length > 0) out += fmt::format("; indexlength={}", format.index_length);
  if (format.index_delta_length > 0) out += fmt::format("; indexdeltalength={}", format.index_delta_length);
  out += "; config=";
  for (uint8_t byte : write_aac_config(format.config)) out += fmt::format("{:02x}", byte);
  return out;
}

} // namespace sluice::media
