#include "common/media/opus.h"

#include <array>

namespace sluice::media {

namespace {

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

} // namespace sluice::media
