// Between FLV and the tracks of a stream: configurations as media::Track and back, bodies of frames as the units of an
// access unit and back. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/parameters.h"
#include "common/media/stream_description.h"
#include "workers/rtmp/protocol/flv_tags.h"

#include <span>
#include <string>
#include <vector>

namespace sluice::rtmp {

constexpr uint8_t kVideoPayloadType = 96; // G.711 and MP3 have their static ones
constexpr uint8_t kAudioPayloadType = 97;

// What a publisher's tag tells about its track.
struct TrackFacts {
  media::Track track;
  uint8_t length_size = 4;               // H264, H265: of the field before each NAL unit
  std::vector<ByteVector> configuration; // for Packetizer::set_configuration()
};

// Codecs whose first frame can't be understood without a configuration before it: H264, H265, AAC, FLAC.
bool needs_configuration(media::Codec codec);

// From a configuration; of the codecs that need none, also from a frame. Errors: the codec is unsupported, or what the
// tag holds is malformed.
Result<TrackFacts> describe_track(const MediaTag &tag);

// The units of a frame's body, valid as long as it is; replaces what is in `units`. NAL units of no bytes are left out.
// Errors: a unit does not fit, more of them than an access unit may have.
Result<void> split_units(media::Codec codec, uint8_t length_size, Bytes body, std::vector<Bytes> &units);

// Whether decoding can start with it; not all publishers mark their key frames.
bool is_random_access(const MediaTag &tag, std::span<const Bytes> units);

// Whether a reader with the classic form only can have such a track: H264, AAC, MP3, G.711 with one channel at 8 kHz.
bool is_classic(const media::Track &track);

// What a configuration's body holds; empty for codecs that have none. `sets`: of H264, H265 and AV1. Errors: something
// is not known (yet).
Result<ByteVector> make_configuration(const media::Track &track, const media::ParameterSets &sets);

// Of an audio track, for make_audio_head(); MP3 frames say themselves what they are.
AudioFormat audio_format(const media::Track &track, Bytes frame);

// Appends a frame's body: NAL units with lengths of 4 bytes, OBUs with size fields. Units that `sets` has already are
// left out; nothing may remain.
void append_units(media::Codec codec, std::span<const Bytes> units, const media::ParameterSets &sets, ByteVector &body);

// A four-character code or the number of a codec for messages: "hvc1", "4".
std::string codec_name(const MediaTag &tag);

} // namespace sluice::rtmp
