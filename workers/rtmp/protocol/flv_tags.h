// The bodies of RTMP's audio (8) and video (9) messages: FLV tag data (Adobe Flash Video File Format Specification,
// annex E.4.2 and E.4.3) and their successors of Enhanced RTMP v2 ("Enhanced Audio", "Enhanced Video"). Pure.
//
//   video:    FrameType (4) CodecID (4) | H264: AVCPacketType (8), CompositionTime (24, signed) | data
//   enhanced: 1 (1) FrameType (3) PacketType (4) | ModEx… | FourCC (32) | CompositionTime (24) if any | data
//   audio:    SoundFormat (4) rate (2) size (1) stereo (1) | AAC: AACPacketType (8) | data
//   enhanced: 9 (4) PacketType (4) | ModEx… | FourCC (32) | data
//   ModEx, with PacketType 7: size - 1 (8; if it is 255, size - 1 (16) follows) | data | ModExType (4) PacketType (4)
//   multitrack, with PacketType 6 (video) or 5 (audio): kind (4) PacketType (4) | FourCC, unless of each track
//   { FourCC, if of each track | track (8) | size (24), unless there is but one | its data }…
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"

#include <array>
#include <optional>
#include <vector>

namespace sluice::rtmp {

constexpr size_t kMaxTagsOfMessage = media::kMaxTracks;
constexpr size_t kMaxModifiers = 16; // of a message

enum class TagKind : uint8_t {
  Configuration, // what the decoder has to know: sequence header, SequenceStart
  Frame,
  EndOfSequence,
  Metadata, // of the video, in AMF
  Other,    // commands, channel mappings: nothing to be done
};

struct MediaTag {
  TagKind kind = TagKind::Other;
  media::MediaKind media = media::MediaKind::Video;
  media::Codec codec = media::Codec::Other; // Other: `codec_id` tells which
  uint32_t codec_id = 0;                    // CodecID or SoundFormat; enhanced: the FourCC
  bool enhanced = false;
  uint8_t track_id = 0;
  bool key_frame = false;          // video
  int32_t composition_time_ms = 0; // video: PTS - DTS
  uint32_t nanoseconds = 0;        // to be added to the message's timestamp, less than a millisecond
  bool stereo = false;             // audio, not enhanced: what the header says
  Bytes body;                      // of the message's bytes
};

// Replaces what is in `tags`: one, or with multitrack several. An empty message has none. Errors: too short for what
// it says it holds, more than kMaxTagsOfMessage tracks.
Result<void> parse_video_tag(Bytes message, std::vector<MediaTag> &tags);
Result<void> parse_audio_tag(Bytes message, std::vector<MediaTag> &tags);

// What stands in front of a tag's body.
struct TagHead {
  std::array<uint8_t, 16> data{};
  size_t size = 0;

  Bytes bytes() const { return {data.data(), size}; }
};

// H264 in its classic form, others enhanced; `kind`: Configuration, Frame or EndOfSequence. The codec is H264, H265,
// VP8, VP9 or AV1; the composition time is sent for the first two, within the range of its 24 bits.
TagHead make_video_head(media::Codec codec, TagKind kind, bool key_frame, int32_t composition_time_ms = 0);

struct AudioFormat {
  uint32_t sample_rate = 44100; // Hz
  uint8_t channels = 2;
};
// AAC, MP3 and G.711 in their classic form, Opus, FLAC and AC-3 enhanced. With a track id other than 0 enhanced too, as
// multitrack: not for G.711.
TagHead make_audio_head(media::Codec codec, TagKind kind, const AudioFormat &format, uint8_t track_id = 0);

// "hvc1" and so on as a number; empty when the codec has none.
std::optional<uint32_t> fourcc_of(media::Codec codec);

} // namespace sluice::rtmp
