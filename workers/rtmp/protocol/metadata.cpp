#include "workers/rtmp/protocol/metadata.h"

#include "workers/rtmp/protocol/amf0.h"

#include <fmt/format.h>

#include <cmath>
#include <span>

namespace sluice::rtmp {
namespace {

struct NumberedCodec {
  uint32_t number;
  std::string_view four_cc;
  bool written = true; // by its number
};

// FLV's, and 12, which is what encoders without enhanced RTMP call HEVC.
constexpr NumberedCodec kVideoCodecs[] = {{7, "avc1"}, {12, "hvc1", false}};
constexpr NumberedCodec kAudioCodecs[] = {{10, "mp4a"}, {2, ".mp3"}, {14, ".mp3", false}, {7, "alaw"}, {8, "ulaw"}};

bool is_four_cc(uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) {
    uint32_t c = number >> shift & 0xff;
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

std::optional<std::string> codec_of(const AmfValue *value, std::span<const NumberedCodec> numbered) {
  if (value == nullptr) return std::nullopt;
  if (value->type == AmfType::String) return value->text;
  if (value->type != AmfType::Number) return std::nullopt;
  uint32_t number = amf_to_u32(value->number);
  if (value->number == 0) return "";
  for (const NumberedCodec &codec : numbered)
    if (codec.number == value->number) return std::string(codec.four_cc);
  if (!is_four_cc(number)) return fmt::format("{}", value->number);
  uint8_t text[4];
  store_be32(text, number);
  return std::string(as_text(text));
}

double positive(const AmfValue &object, std::string_view name) {
  double number = object.number_of(name).value_or(0);
  return number > 0 && std::isfinite(number) ? number : 0;
}

AmfValue value_of(const std::string &codec, std::span<const NumberedCodec> numbered) {
  if (codec.empty()) return 0.0;
  for (const NumberedCodec &known : numbered)
    if (known.written && known.four_cc == codec) return known.number;
  if (codec.size() != 4) return codec;
  return load_be32(as_bytes(codec).data());
}

} // namespace

Result<std::optional<Metadata>> parse_metadata(Bytes script_data) {
  Amf0Decoder decoder(script_data);
  if (TRY(decoder.next()) != AmfValue("onMetaData") || decoder.at_end()) return std::optional<Metadata>();
  AmfValue object = TRY(decoder.next());
  if (object.type != AmfType::Object && object.type != AmfType::EcmaArray) return std::optional<Metadata>();
  return std::optional(Metadata{.video = codec_of(object.find("videocodecid"), kVideoCodecs),
                                .audio = codec_of(object.find("audiocodecid"), kAudioCodecs),
                                .width = positive(object, "width"),
                                .height = positive(object, "height"),
                                .frame_rate = positive(object, "framerate")});
}

ByteVector write_metadata(const Metadata &metadata) {
  AmfValue object(AmfType::EcmaArray);
  auto add = [&object](const char *name, AmfValue value) { object.properties.push_back({name, std::move(value)}); };
  if (metadata.width > 0) add("width", metadata.width);
  if (metadata.height > 0) add("height", metadata.height);
  if (metadata.frame_rate > 0) add("framerate", metadata.frame_rate);
  if (metadata.video) {
    add("videodatarate", 0.0);
    add("videocodecid", value_of(*metadata.video, kVideoCodecs));
  }
  if (metadata.audio) {
    add("audiodatarate", 0.0);
    add("audiocodecid", value_of(*metadata.audio, kAudioCodecs));
  }
  ByteVector payload;
  encode_amf0(payload, "onMetaData");
  encode_amf0(payload, object);
  return payload;
}

} // namespace sluice::rtmp
