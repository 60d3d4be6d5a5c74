// AAC: AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1) and the fmtp parameters of mpeg4-generic
// (RFC 3640 section 4.1). Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"

#include <array>
#include <string>

namespace sluice::media {

struct AacConfig {
  uint8_t object_type = 2;   // of the core codec: 1..4, 2 = LC
  uint32_t sample_rate = 0;  // of the core codec, Hz
  uint8_t channel_count = 0; // 1..6 or 8; of the core codec
  bool short_frames = false; // 960 samples instead of 1024
  bool depends_on_core_coder = false;
  uint16_t core_coder_delay = 0;
  bool sbr = false;                   // HE-AAC, signalled explicitly (either way)
  bool ps = false;                    // HE-AAC v2
  uint32_t extension_sample_rate = 0; // of SBR; 0 without

  uint32_t frame_samples() const { return short_frames ? 960 : 1024; }
  bool operator==(const AacConfig &) const = default;
};

// Object types 1..4 (Main, LC, SSR, LTP), with SBR (5) and PS (29) around them. A program config element
// (channel configuration 0) is not supported.
Result<AacConfig> parse_aac_config(Bytes bytes);
// With the object type's hierarchical signalling for SBR and PS. `config` is one that parse_aac_config can give.
ByteVector write_aac_config(const AacConfig &config);

// What stands before each frame in a stream without a configuration of its own (section 1.A.2.2), without CRC. SBR and
// PS are found by decoders. Errors: frames of 960 samples, a sample rate without an index, a frame of more than
// kMaxAdtsFrame.
constexpr size_t kAdtsHeaderSize = 7;
constexpr size_t kMaxAdtsFrame = 0x1fff - kAdtsHeaderSize;
Result<std::array<uint8_t, kAdtsHeaderSize>> make_adts_header(const AacConfig &config, size_t frame_size);

// The AU header layout of mpeg4-generic and the decoder configuration, from a track's fmtp.
struct AacFormat {
  uint8_t size_length = 0; // bits, 0..32
  uint8_t index_length = 0;
  uint8_t index_delta_length = 0;
  bool simple = true; // no AU header fields beyond these three and no auxiliary section
  AacConfig config;
};
Result<AacFormat> parse_aac_format(const Track &track);
// Of a MP4A-LATM track (RFC 6416 section 7.3) whose configuration stands in its fmtp, one program with one layer and a
// frame in each element.
Result<AacConfig> parse_latm_format(const Track &track);
// As "profile-level-id=1; mode=AAC-hbr; sizelength=13; …; config=<hex>"; zero index fields are left out.
std::string write_aac_fmtp(const AacFormat &format);

} // namespace sluice::media
