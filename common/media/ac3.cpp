#include "common/media/ac3.h"

#include "common/media/bit_reader.h"

#include <array>

namespace sluice::media {

namespace {

constexpr uint16_t kSyncWord = 0x0b77;
constexpr std::array<uint16_t, 19> kBitRates = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                                192, 224, 256, 320, 384, 448, 512, 576, 640}; // kbit/s
constexpr std::array<uint8_t, 8> kChannels = {2, 1, 2, 3, 3, 4, 4, 5};                        // by acmod
constexpr unsigned kLastBsid = 10;                                                            // higher: E-AC-3

// Table 5.18, in bytes.
uint16_t frame_size(unsigned rate_code, unsigned size_code) {
  unsigned rate = kBitRates[size_code / 2];
  if (rate_code == 0) return static_cast<uint16_t>(rate * 4);
  if (rate_code == 2) return static_cast<uint16_t>(rate * 6);
  return static_cast<uint16_t>(2 * (320 * rate / 147 + size_code % 2));
}

} // namespace

std::optional<Ac3Frame> parse_ac3_header(Bytes bytes) {
  BitReader reader(bytes);
  if (reader.bits(16) != kSyncWord) return std::nullopt;
  reader.skip(16); // crc1
  unsigned rate_code = reader.bits(2);
  unsigned size_code = reader.bits(6);
  unsigned bsid = reader.bits(5);
  unsigned bsmod = reader.bits(3);
  unsigned mode = reader.bits(3);
  if ((mode & 1) != 0 && mode != 1) reader.skip(2); // cmixlev
  if ((mode & 4) != 0) reader.skip(2);              // surmixlev
  if (mode == 2) reader.skip(2);                    // dsurmod
  bool low_frequencies = reader.flag();
  if (!reader.ok() || rate_code == 3 || size_code / 2 >= kBitRates.size() || bsid > kLastBsid) return std::nullopt;
  static constexpr std::array<uint32_t, 3> kSampleRates = {48000, 44100, 32000};
  Ac3Frame frame;
  frame.sample_rate = kSampleRates[rate_code] >> (bsid > 8 ? bsid - 8 : 0);
  frame.channels = static_cast<uint8_t>(kChannels[mode] + (low_frequencies ? 1 : 0));
  frame.size = frame_size(rate_code, size_code);
  frame.rate_code = static_cast<uint8_t>(rate_code);
  frame.bit_rate_code = static_cast<uint8_t>(size_code / 2);
  frame.bsid = static_cast<uint8_t>(bsid);
  frame.bsmod = static_cast<uint8_t>(bsmod);
  frame.acmod = static_cast<uint8_t>(mode);
  frame.low_frequencies = low_frequencies;
  return frame;
}

} // namespace sluice::media
