#include "common/media/flac.h"

#include "common/media/bit_reader.h"
#include "common/media/parameters.h"

#include <algorithm>
#include <charconv>

namespace sluice::media {

namespace {

constexpr std::array<uint8_t, 4> kMagic = {'f', 'L', 'a', 'C'};
constexpr size_t kBlockHeaderSize = 4;

} // namespace

Result<FlacStreamInfo> parse_flac_stream_info(Bytes bytes) {
  bool has_magic = bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
  if (has_magic) {
    bytes = bytes.subspan(kMagic.size());
    if (bytes.size() < kBlockHeaderSize) return Error{"invalid FLAC header: too short"};
    uint32_t header = load_be32(bytes.data()); // last (1), type (7), size (24)
    if ((header & 0x7fffffff) != kFlacStreamInfoSize)
      return Error{"invalid FLAC header: it does not begin with STREAMINFO"};
    bytes = bytes.subspan(kBlockHeaderSize);
  }
  if (bytes.size() < kFlacStreamInfoSize) return Error{"invalid FLAC header: too short"};
  BitReader reader(bytes);
  FlacStreamInfo info;
  info.min_block_samples = static_cast<uint16_t>(reader.bits(16));
  info.max_block_samples = static_cast<uint16_t>(reader.bits(16));
  reader.skip(48); // sizes of frames
  info.sample_rate = reader.bits(20);
  info.channels = static_cast<uint8_t>(reader.bits(3) + 1);
  info.bits_per_sample = static_cast<uint8_t>(reader.bits(5) + 1);
  if (info.sample_rate == 0 || info.max_block_samples < 16 || info.bits_per_sample < 4)
    return Error{"invalid FLAC header: a value is out of its range"};
  std::copy_n(bytes.begin(), kFlacStreamInfoSize, info.bytes.begin());
  return info;
}

Result<FlacStreamInfo> parse_flac_format(const Track &track) {
  std::string_view text = fmtp_value(track.fmtp, "streaminfo").value_or("");
  ByteVector bytes;
  for (size_t i = 0; i + 2 <= text.size() && bytes.size() < kFlacStreamInfoSize; i += 2) {
    uint8_t value = 0;
    auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2) return Error{"invalid FLAC header: not hexadecimal"};
    bytes.push_back(value);
  }
  return parse_flac_stream_info(bytes);
}

ByteVector write_flac_header(const FlacStreamInfo &info) {
  ByteVector out(kMagic.begin(), kMagic.end());
  for (uint8_t byte : {0x80, 0, 0, static_cast<int>(kFlacStreamInfoSize)}) out.push_back(byte);
  out.insert(out.end(), info.bytes.begin(), info.bytes.end());
  return out;
}

} // namespace sluice::media
