// Tracks of a stream from what containers say about them. Pure. Errors: malformed, or not supported.
#pragma once

#include "common/base/result.h"
#include "common/media/aac.h"
#include "common/media/parameters.h"
#include "workers/hls/demux/sink.h"

namespace sluice::hls {

// SPS and PPS; of H265 also a VPS.
FoundTrack h264_track(const media::ParameterSets &sets);
FoundTrack h265_track(const media::ParameterSets &sets);
// Of the sequence header, without size field; empty: not known.
FoundTrack av1_track(Bytes sequence_header);
FoundTrack vp9_track(uint8_t profile);
FoundTrack aac_track(const media::AacConfig &config);
FoundTrack opus_track(uint8_t channels);
FoundTrack mpeg_audio_track(uint8_t channels);
FoundTrack ac3_track(uint32_t sample_rate, uint8_t channels);

} // namespace sluice::hls
