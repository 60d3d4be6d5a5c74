// What a container has to say about a track so that players can decode it: made of the stream's description, of
// parameter sets, and for some codecs of a first frame. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/media/aac.h"
#include "common/media/parameters.h"
#include "common/media/stream_description.h"
#include "workers/hls/presentation.h"

#include <string>

namespace sluice::hls {

constexpr uint32_t kVideoTimescale = 90000; // Hz; of every track in MPEG-TS

struct TrackFormat {
  media::Codec codec = media::Codec::Other; // AAC also for LATM, whose frames are the same
  bool video = false;
  uint32_t timescale = kVideoTimescale; // of times in MP4, Hz
  Nanoseconds unit_duration = 0;        // of one access unit, as far as it can be told; never 0

  uint32_t width = 0, height = 0; // pixels, 0: not known
  double frame_rate = 0;          // Hz, 0: not known

  uint32_t sample_rate = 0; // Hz
  uint8_t channels = 0;
  media::AacConfig aac; // AAC only

  // H264: avcC, H265: hvcC, AV1: av1C, VP9: vpcC with version and flags, AAC: AudioSpecificConfig, Opus: dOps, AC-3:
  // dac3, FLAC: dfLa; each without a box's header. MP3 has none.
  ByteVector configuration;
  std::string codecs; // RFC 6381

  bool operator==(const TrackFormat &) const = default;
};

// Whether tracks of this codec can be had in that variant.
bool can_mux(Variant variant, media::Codec codec);

// Whether the format stands in the frames themselves: MP3, AC-3, VP9 (in key frames).
bool is_told_by_frames(media::Codec codec);

// MP3 and AC-3: what of a frame's header tells the format; never 0 for a frame that has one.
uint32_t format_key(media::Codec codec, Bytes frame);

// `sets` of H264, H265 and AV1. Errors: something is missing (yet) or not understood, the codec can't be muxed.
Result<TrackFormat> make_format(const media::Track &track, const media::ParameterSets &sets);
// Of codecs that are told by frames. Errors: not such a frame.
Result<TrackFormat> make_format(const media::Track &track, Bytes frame);

} // namespace sluice::hls
