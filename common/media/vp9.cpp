#include "common/media/vp9.h"

#include "common/media/bit_reader.h"

#include <array>

namespace sluice::media {

namespace {

constexpr size_t kRecordSize = 8;
constexpr uint8_t kNotStated = 2; // colour primaries, transfer characteristics and matrix coefficients: unspecified

} // namespace

Result<Vp9Configuration> parse_vp9_configuration(Bytes bytes) {
  // As a profile of 1 with level 0 and depth 0 it would make no sense.
  bool has_version = bytes.size() >= 4 + kRecordSize && load_be32(bytes.data()) >> 8 == 0x010000;
  if (has_version) bytes = bytes.subspan(4);
  if (bytes.size() < kRecordSize) return Error{"invalid VP9 configuration: too short"};
  Vp9Configuration configuration;
  configuration.profile = bytes[0];
  configuration.level = bytes[1];
  configuration.bit_depth = bytes[2] >> 4;
  configuration.chroma_subsampling = bytes[2] >> 1 & 7;
  configuration.full_range = (bytes[2] & 1) != 0;
  bool known_depth = configuration.bit_depth == 8 || configuration.bit_depth == 10 || configuration.bit_depth == 12;
  if (configuration.profile > 3 || !known_depth || configuration.chroma_subsampling > 3)
    return Error{"invalid VP9 configuration: a value is out of its range"};
  return configuration;
}

ByteVector write_vp9_configuration(const Vp9Configuration &configuration) {
  unsigned formats = static_cast<unsigned>(configuration.bit_depth << 4 | configuration.chroma_subsampling << 1);
  return {1,
          0,
          0,
          0,
          configuration.profile,
          configuration.level,
          static_cast<uint8_t>(formats | (configuration.full_range ? 1 : 0)),
          kNotStated,
          kNotStated,
          kNotStated,
          0,
          0};
}

std::optional<Vp9KeyFrame> parse_vp9_key_frame(Bytes frame) {
  BitReader reader(frame);
  if (reader.bits(2) != 2) return std::nullopt; // frame_marker
  Vp9KeyFrame key;
  Vp9Configuration &configuration = key.configuration;
  uint32_t low = reader.bits(1);
  configuration.profile = static_cast<uint8_t>(reader.bits(1) << 1 | low);
  if (configuration.profile == 3) reader.skip(1);
  bool existing = reader.flag();
  bool not_key = reader.flag();
  reader.skip(2); // show_frame, error_resilient_mode
  if (existing || not_key || reader.bits(24) != 0x498342) return std::nullopt;
  if (configuration.profile >= 2) configuration.bit_depth = reader.flag() ? 12 : 10;
  constexpr uint32_t kSrgb = 7;
  bool odd_profile = (configuration.profile & 1) != 0;
  if (reader.bits(3) != kSrgb) {
    configuration.full_range = reader.flag();
    if (odd_profile) {
      uint32_t x = reader.bits(1);
      uint32_t y = reader.bits(1);
      reader.skip(1);
      configuration.chroma_subsampling = x == 0 ? 3 : y == 0 ? 2 : 1; // 4:4:4 (4:4:0 has no number), 4:2:2, 4:2:0
    }
  } else {
    configuration.full_range = true;
    if (!odd_profile) return std::nullopt;
    configuration.chroma_subsampling = 3;
    reader.skip(1);
  }
  key.width = reader.bits(16) + 1;
  key.height = reader.bits(16) + 1;
  if (!reader.ok()) return std::nullopt;
  return key;
}

uint8_t vp9_level(uint32_t width, uint32_t height, double frame_rate) {
  struct Level {
    uint8_t number;
    uint32_t picture;    // luma samples
    uint64_t per_second; // luma samples
  };
  static constexpr std::array<Level, 13> kLevels = {{{10, 36864, 829440},
                                                     {11, 73728, 2764800},
                                                     {20, 122880, 4608000},
                                                     {21, 245760, 9216000},
                                                     {30, 552960, 20736000},
                                                     {31, 983040, 36864000},
                                                     {40, 2228224, 83558400},
                                                     {41, 2228224, 160432128},
                                                     {50, 8912896, 311951360},
                                                     {51, 8912896, 588251136},
                                                     {52, 8912896, 1176502272},
                                                     {60, 35651584, 1176502272},
                                                     {61, 35651584, 2353004544}}};
  uint64_t picture = uint64_t{width} * height;
  for (const Level &level : kLevels) {
    if (picture <= level.picture && static_cast<double>(picture) * frame_rate <= static_cast<double>(level.per_second))
      return level.number;
  }
  return 62;
}

} // namespace sluice::media
