// Access units as containers carry them. Pure functions that append to a vector.
#pragma once

#include "workers/hls/mux/track_format.h"

#include <span>

namespace sluice::hls {

// Whether there is more than parameters and delimiters.
bool has_picture(media::Codec codec, std::span<const Bytes> units);

// As MP4 carries it: NAL units after their lengths (32 bits), without delimiters and without those of `sets`; OBUs with
// size fields, without temporal delimiters; other frames as they are.
void append_mp4_data(media::Codec codec, std::span<const Bytes> units, const media::ParameterSets &sets,
                     ByteVector &out);

// As MPEG-TS carries H264 (ISO/IEC 13818-1 section 2.14.1): after start codes, a delimiter first. A random access unit
// without an SPS gets those of `sets`.
void append_h264_stream(std::span<const Bytes> units, bool random_access, const media::ParameterSets &sets,
                        ByteVector &out);

// As MPEG-TS carries audio: AAC after ADTS headers. False, and nothing is appended: it can't be carried.
bool append_audio_stream(const TrackFormat &format, Bytes frame, ByteVector &out);

} // namespace sluice::hls
