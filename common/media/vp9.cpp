#include "common/media/vp9.h"

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

} // namespace sluice::media
