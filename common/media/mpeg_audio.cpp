#include "common/media/mpeg_audio.h"

#include <array>

namespace sluice::media {

namespace {

using Rates = std::array<uint16_t, 15>; // kbit/s by index; 0 = free format

constexpr Rates kV1L1 = {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448};
constexpr Rates kV1L2 = {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384};
constexpr Rates kV1L3 = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
constexpr Rates kV2L1 = {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256};
constexpr Rates kV2L23 = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};

const Rates &rates(bool version1, unsigned layer) {
  if (version1) return layer == 1 ? kV1L1 : layer == 2 ? kV1L2 : kV1L3;
  return layer == 1 ? kV2L1 : kV2L23;
}

} // namespace

std::optional<MpegAudioFrame> parse_mpeg_audio_header(Bytes bytes) {
  if (bytes.size() < 4 || bytes[0] != 0xff || (bytes[1] & 0xe0) != 0xe0) return std::nullopt;
  unsigned version = bytes[1] >> 3 & 3; // 0 = 2.5, 2 = 2, 3 = 1
  unsigned layer_code = bytes[1] >> 1 & 3;
  unsigned rate_index = bytes[2] >> 4;
  unsigned frequency_index = bytes[2] >> 2 & 3;
  unsigned padding = bytes[2] >> 1 & 1;
  if (version == 1 || layer_code == 0 || rate_index == 0 || rate_index == 15 || frequency_index == 3)
    return std::nullopt;
  static constexpr std::array<uint32_t, 3> kFrequencies = {44100, 48000, 32000};
  bool version1 = version == 3;
  MpegAudioFrame frame;
  frame.layer = static_cast<uint8_t>(4 - layer_code);
  frame.sample_rate = kFrequencies[frequency_index] >> (version1 ? 0 : version == 2 ? 1 : 2);
  frame.bit_rate = rates(version1, frame.layer)[rate_index] * 1000u;
  frame.channels = (bytes[3] >> 6) == 3 ? 1 : 2;
  frame.samples = frame.layer == 1 ? 384 : frame.layer == 3 && !version1 ? 576 : 1152;
  unsigned slot = frame.layer == 1 ? 4 : 1;
  frame.size = static_cast<uint16_t>((frame.samples / 8 / slot * frame.bit_rate / frame.sample_rate + padding) * slot);
  return frame;
}

} // namespace sluice::media
