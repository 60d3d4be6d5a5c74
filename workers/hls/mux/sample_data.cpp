#include "workers/hls/mux/sample_data.h"

#include "common/media/av1.h"
#include "common/media/h264.h"
#include "common/media/h265.h"

#include <algorithm>

namespace sluice::hls {

using media::Codec;
using media::H264Nal;

namespace {

constexpr std::array<uint8_t, 4> kStartCode = {0, 0, 0, 1};
constexpr std::array<uint8_t, 2> kDelimiter = {0x09, 0xf0}; // with slices of any type after it

void append(ByteVector &out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_after_start_code(ByteVector &out, Bytes unit) {
  append(out, kStartCode);
  append(out, unit);
}

bool is_delimiter(Codec codec, Bytes unit) {
  if (codec == Codec::H264) return media::h264_nal_type(unit[0]) == H264Nal::Delimiter;
  return media::h265_nal_type(unit[0]) == media::H265Nal::Delimiter;
}

bool is_one_of(const media::ParameterSets &sets, Bytes unit) {
  for (const ByteVector *set : {&sets.vps, &sets.sps, &sets.pps}) {
    if (!set->empty() && std::equal(unit.begin(), unit.end(), set->begin(), set->end())) return true;
  }
  return false;
}

bool is_h264(Bytes unit, H264Nal type) {
  return media::h264_nal_type(unit[0]) == type;
}

} // namespace

bool has_picture(Codec codec, std::span<const Bytes> units) {
  return std::any_of(units.begin(), units.end(), [codec](Bytes unit) {
    if (unit.empty()) return false;
    if (codec == Codec::H264) return media::is_h264_slice(media::h264_nal_type(unit[0]));
    if (codec == Codec::H265) return media::is_h265_slice(media::h265_nal_type(unit[0]));
    if (codec != Codec::Av1) return true;
    auto obu = media::parse_obu(unit);
    return obu && obu->type != media::ObuType::TemporalDelimiter && obu->type != media::ObuType::SequenceHeader;
  });
}

void append_mp4_data(Codec codec, std::span<const Bytes> units, const media::ParameterSets &sets, ByteVector &out) {
  for (Bytes unit : units) {
    if (codec == Codec::H264 || codec == Codec::H265) {
      if (is_delimiter(codec, unit) || is_one_of(sets, unit)) continue;
      std::array<uint8_t, 4> length{};
      store_be32(length.data(), static_cast<uint32_t>(unit.size()));
      append(out, length);
      append(out, unit);
    } else if (codec == Codec::Av1) {
      auto obu = media::parse_obu(unit);
      if (obu && obu->type != media::ObuType::TemporalDelimiter) media::append_obu(out, *obu, true);
    } else {
      append(out, unit);
    }
  }
}

void append_h264_stream(std::span<const Bytes> units, bool random_access, const media::ParameterSets &sets,
                        ByteVector &out) {
  bool has_delimiter = !units.empty() && is_h264(units[0], H264Nal::Delimiter);
  bool has_sps = std::any_of(units.begin(), units.end(), [](Bytes unit) { return is_h264(unit, H264Nal::Sps); });
  append_after_start_code(out, has_delimiter ? units[0] : Bytes(kDelimiter));
  if (random_access && !has_sps) {
    append_after_start_code(out, sets.sps);
    append_after_start_code(out, sets.pps);
  }
  for (Bytes unit : units) {
    if (!is_h264(unit, H264Nal::Delimiter)) append_after_start_code(out, unit);
  }
}

bool append_audio_stream(const TrackFormat &format, Bytes frame, ByteVector &out) {
  constexpr size_t kMaxFrame = 16 * 1024; // what fits into one PES packet with others; real ones have less than 4 KiB
  if (frame.size() > kMaxFrame) return false;
  if (format.codec == Codec::Aac) {
    auto header = media::make_adts_header(format.aac, frame.size());
    if (!header) return false;
    append(out, *header);
  }
  append(out, frame);
  return true;
}

} // namespace sluice::hls
