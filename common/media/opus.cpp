#include "common/media/opus.h"

#include <algorithm>
#include <array>

namespace sluice::media {

namespace {

constexpr std::string_view kMagic = "OpusHead";
constexpr size_t kHeaderSize = 19;
constexpr Nanoseconds kLongest = 120 * kMillisecond;

Nanoseconds frame_duration(unsigned configuration) {
  static constexpr std::array<Nanoseconds, 4> kSilk = {10 * kMillisecond, 20 * kMillisecond, 40 * kMillisecond,
                                                       60 * kMillisecond};
  static constexpr std::array<Nanoseconds, 4> kCelt = {2500 * kMicrosecond, 5 * kMillisecond, 10 * kMillisecond,
                                                       20 * kMillisecond};
  if (configuration < 12) return kSilk[configuration % 4];
  if (configuration < 16) return kSilk[configuration % 2]; // hybrid
  return kCelt[configuration % 4];
}

} // namespace

std::optional<Nanoseconds> opus_packet_duration(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  int64_t frames = 1;
  switch (packet[0] & 3) {
  case 0:
    break;
  case 1:
  case 2:
    frames = 2;
    break;
  default:
    if (packet.size() < 2) return std::nullopt;
    frames = packet[1] & 0x3f;
  }
  Nanoseconds duration = frames * frame_duration(packet[0] >> 3);
  if (frames == 0 || duration > kLongest) return std::nullopt;
  return duration;
}

// Its fields are little-endian.
Result<OpusHeader> parse_opus_header(Bytes bytes) {
  if (bytes.size() < kHeaderSize) return Error{"invalid Opus header: too short"};
  if (as_text(bytes.first(kMagic.size())) != kMagic || bytes[8] >> 4 != 0)
    return Error{"invalid Opus header: unknown kind or version"};
  OpusHeader header;
  header.channels = bytes[9];
  header.pre_skip = static_cast<uint16_t>(bytes[10] | bytes[11] << 8);
  header.input_rate = bytes[12] | bytes[13] << 8 | bytes[14] << 16 | static_cast<uint32_t>(bytes[15]) << 24;
  header.output_gain = static_cast<int16_t>(bytes[16] | bytes[17] << 8);
  header.mapping_family = bytes[18];
  if (header.channels == 0 || (header.mapping_family == 0 && header.channels > 2))
    return Error{"invalid Opus header: channels"};
  return header;
}

ByteVector write_opus_header(const OpusHeader &header) {
  ByteVector out(kHeaderSize);
  std::copy(kMagic.begin(), kMagic.end(), out.begin());
  out[8] = 1;
  out[9] = header.channels;
  out[10] = static_cast<uint8_t>(header.pre_skip);
  out[11] = static_cast<uint8_t>(header.pre_skip >> 8);
  for (unsigned i = 0; i < 4; i++) out[12 + i] = static_cast<uint8_t>(header.input_rate >> 8 * i);
  out[16] = static_cast<uint8_t>(header.output_gain);
  out[17] = static_cast<uint8_t>(header.output_gain >> 8);
  return out;
}

} // namespace sluice::media
