#include "workers/rtmp/protocol/flv_tags.h"

#include "common/base/check.h"

#include <algorithm>

namespace sluice::rtmp {

using media::Codec;
using media::MediaKind;

namespace {

constexpr uint8_t kExtendedVideo = 0x80;
constexpr uint8_t kExtendedAudio = 9; // SoundFormat
constexpr uint8_t kKeyFrame = 1;
constexpr uint8_t kInterFrame = 2;
constexpr uint8_t kGeneratedKeyFrame = 4;
constexpr uint8_t kCommand = 5;
constexpr uint8_t kAvc = 7;   // CodecID
constexpr uint8_t kHevc = 12; // not standardised, as AVC otherwise
constexpr uint8_t kAac = 10;  // SoundFormat
constexpr uint8_t kMp3 = 2;
constexpr uint8_t kMp3At8Khz = 14;
constexpr uint8_t kPcma = 7;
constexpr uint8_t kPcmu = 8;
constexpr uint32_t kMaxNanoseconds = 999'999;

// PacketType of both kinds, but where it says so.
constexpr uint8_t kSequenceStart = 0;
constexpr uint8_t kCodedFrames = 1;
constexpr uint8_t kSequenceEnd = 2;
constexpr uint8_t kCodedFramesX = 3;    // video: without composition time
constexpr uint8_t kVideoMetadata = 4;   // audio: MultichannelConfig
constexpr uint8_t kAudioMultitrack = 5; // video: MPEG2TSSequenceStart
constexpr uint8_t kVideoMultitrack = 6;
constexpr uint8_t kModEx = 7;

constexpr uint8_t kOneTrack = 0; // of multitrack
constexpr uint8_t kManyCodecs = 2;

constexpr uint32_t fourcc(const char (&text)[5]) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value = value << 8 | static_cast<uint8_t>(text[i]);
  return value;
}

struct FourCc {
  Codec codec;
  MediaKind media;
  uint32_t value;
};
constexpr FourCc kFourCcs[] = {
    {Codec::H264, MediaKind::Video, fourcc("avc1")},      {Codec::H265, MediaKind::Video, fourcc("hvc1")},
    {Codec::Vp8, MediaKind::Video, fourcc("vp08")},       {Codec::Vp9, MediaKind::Video, fourcc("vp09")},
    {Codec::Av1, MediaKind::Video, fourcc("av01")},       {Codec::Aac, MediaKind::Audio, fourcc("mp4a")},
    {Codec::MpegAudio, MediaKind::Audio, fourcc(".mp3")}, {Codec::Opus, MediaKind::Audio, fourcc("Opus")},
    {Codec::Flac, MediaKind::Audio, fourcc("fLaC")},      {Codec::Ac3, MediaKind::Audio, fourcc("ac-3")},
};

Codec codec_of(MediaKind media, uint32_t value) {
  for (const FourCc &entry : kFourCcs) {
    if (entry.media == media && entry.value == value) return entry.codec;
  }
  return Codec::Other;
}

bool has_composition_time(Codec codec) {
  return codec == Codec::H264 || codec == Codec::H265;
}

Error too_short(MediaKind media) {
  return Error{media == MediaKind::Video ? "invalid video packet: too short" : "invalid audio packet: too short"};
}

std::optional<uint32_t> read_u24(ByteReader &reader) {
  auto bytes = reader.bytes(3);
  if (!bytes) return std::nullopt;
  return static_cast<uint32_t>((*bytes)[0] << 16 | (*bytes)[1] << 8 | (*bytes)[2]);
}

Result<int32_t> read_composition_time(ByteReader &reader) {
  auto value = read_u24(reader);
  if (!value) return too_short(MediaKind::Video);
  return static_cast<int32_t>(*value << 8) >> 8;
}

// One or more modifiers, the last of which names the packet type.
Result<uint8_t> read_modifiers(ByteReader &reader, MediaTag &tag) {
  for (size_t i = 0; i < kMaxModifiers; i++) {
    auto short_size = reader.u8();
    if (!short_size) return too_short(tag.media);
    size_t size = *short_size + 1u;
    if (size == 256) {
      auto long_size = reader.u16();
      if (!long_size) return too_short(tag.media);
      size = *long_size + 1u;
    }
    auto data = reader.bytes(size);
    auto types = reader.u8();
    if (!data || !types) return too_short(tag.media);
    if (*types >> 4 == 0 && size >= 3) { // TimestampOffsetNano
      uint32_t offset = static_cast<uint32_t>((*data)[0] << 16 | (*data)[1] << 8 | (*data)[2]);
      tag.nanoseconds = std::min(offset, kMaxNanoseconds);
    }
    if ((*types & 0x0f) != kModEx) return static_cast<uint8_t>(*types & 0x0f);
  }
  return Error{"invalid packet: too many modifiers"};
}

// From the four-character code on; `reader` ends where the tag does.
Result<void> read_data(ByteReader &reader, uint8_t packet_type, MediaTag &tag) {
  bool video = tag.media == MediaKind::Video;
  switch (packet_type) {
  case kSequenceStart:
    tag.kind = TagKind::Configuration;
    break;
  case kCodedFrames:
    tag.kind = TagKind::Frame;
    if (has_composition_time(tag.codec)) tag.composition_time_ms = TRY(read_composition_time(reader));
    break;
  case kSequenceEnd:
    tag.kind = TagKind::EndOfSequence;
    break;
  case kCodedFramesX:
    tag.kind = video ? TagKind::Frame : TagKind::Other;
    break;
  case kVideoMetadata:
    tag.kind = video ? TagKind::Metadata : TagKind::Other;
    break;
  default:
    tag.kind = TagKind::Other;
  }
  tag.body = reader.rest();
  return {};
}

Result<void> read_fourcc(ByteReader &reader, MediaTag &tag) {
  auto value = reader.u32();
  if (!value) return too_short(tag.media);
  tag.codec_id = *value;
  tag.codec = codec_of(tag.media, *value);
  return {};
}

Result<void> read_tracks(ByteReader &reader, MediaTag tag, std::vector<MediaTag> &tags) {
  auto kinds = reader.u8();
  if (!kinds) return too_short(tag.media);
  uint8_t multitrack = *kinds >> 4;
  if (multitrack > kManyCodecs) return Error{"invalid packet: unknown kind of multitrack"};
  if (multitrack != kManyCodecs) TRY(read_fourcc(reader, tag));
  do {
    if (tags.size() == kMaxTagsOfMessage) return Error{"invalid packet: too many tracks"};
    if (multitrack == kManyCodecs) TRY(read_fourcc(reader, tag));
    auto track_id = reader.u8();
    if (!track_id) return too_short(tag.media);
    tag.track_id = *track_id;
    size_t size = reader.rest().size();
    if (multitrack != kOneTrack) {
      auto stated = read_u24(reader);
      if (!stated || *stated > reader.rest().size()) return too_short(tag.media);
      size = *stated;
    }
    ByteReader data(*reader.bytes(size));
    TRY(read_data(data, *kinds & 0x0f, tag));
    tags.push_back(tag);
  } while (!reader.rest().empty());
  return {};
}

Result<void> read_enhanced(ByteReader &reader, uint8_t packet_type, bool command, MediaTag tag,
                           std::vector<MediaTag> &tags) {
  tag.enhanced = true;
  bool video = tag.media == MediaKind::Video;
  if (packet_type == kModEx) packet_type = TRY(read_modifiers(reader, tag));
  if (command && packet_type != kVideoMetadata) return {};
  if (packet_type == (video ? kVideoMultitrack : kAudioMultitrack)) return read_tracks(reader, tag, tags);
  TRY(read_fourcc(reader, tag));
  TRY(read_data(reader, packet_type, tag));
  tags.push_back(tag);
  return {};
}

// AVCPacketType or AACPacketType.
TagKind kind_of(uint8_t packet_type) {
  switch (packet_type) {
  case 0:
    return TagKind::Configuration;
  case 1:
    return TagKind::Frame;
  case 2:
    return TagKind::EndOfSequence;
  default:
    return TagKind::Other;
  }
}

Codec codec_of_sound(uint8_t format) {
  switch (format) {
  case kAac:
    return Codec::Aac;
  case kMp3:
  case kMp3At8Khz:
    return Codec::MpegAudio;
  case kPcma:
    return Codec::Pcma;
  case kPcmu:
    return Codec::Pcmu;
  default:
    return Codec::Other;
  }
}

} // namespace

Result<void> parse_video_tag(Bytes message, std::vector<MediaTag> &tags) {
  tags.clear();
  ByteReader reader(message);
  auto first = reader.u8();
  if (!first) return {};
  MediaTag tag;
  uint8_t frame_type = *first >> 4 & 7;
  tag.key_frame = frame_type == kKeyFrame || frame_type == kGeneratedKeyFrame;
  bool command = frame_type == kCommand;
  if ((*first & kExtendedVideo) != 0) return read_enhanced(reader, *first & 0x0f, command, tag, tags);
  if (command) return {};
  tag.codec_id = *first & 0x0f;
  tag.kind = TagKind::Frame;
  if (tag.codec_id == kAvc || tag.codec_id == kHevc) {
    tag.codec = tag.codec_id == kAvc ? Codec::H264 : Codec::H265;
    auto type = reader.u8();
    if (!type) return too_short(tag.media);
    tag.kind = kind_of(*type);
    tag.composition_time_ms = TRY(read_composition_time(reader));
    if (tag.kind != TagKind::Frame) tag.composition_time_ms = 0;
  }
  tag.body = reader.rest();
  tags.push_back(tag);
  return {};
}

Result<void> parse_audio_tag(Bytes message, std::vector<MediaTag> &tags) {
  tags.clear();
  ByteReader reader(message);
  auto first = reader.u8();
  if (!first) return {};
  MediaTag tag;
  tag.media = MediaKind::Audio;
  uint8_t format = *first >> 4;
  if (format == kExtendedAudio) return read_enhanced(reader, *first & 0x0f, false, tag, tags);
  tag.codec_id = format;
  tag.codec = codec_of_sound(format);
  tag.kind = TagKind::Frame;
  tag.stereo = (*first & 1) != 0;
  if (tag.codec == Codec::Aac) {
    auto type = reader.u8();
    if (!type) return too_short(tag.media);
    tag.kind = kind_of(*type);
  }
  tag.body = reader.rest();
  tags.push_back(tag);
  return {};
}

namespace {

void add(TagHead &head, uint32_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) head.data[head.size++] = static_cast<uint8_t>(value >> 8 * i);
}

uint8_t packet_type_of(TagKind kind) {
  CHECK(kind == TagKind::Configuration || kind == TagKind::Frame || kind == TagKind::EndOfSequence);
  return kind == TagKind::Configuration ? kSequenceStart : kind == TagKind::Frame ? kCodedFrames : kSequenceEnd;
}

uint8_t sound_header(Codec codec, const AudioFormat &format) {
  constexpr unsigned k16Bits = 2;
  unsigned stereo = format.channels > 1 ? 1 : 0;
  if (codec == Codec::Aac) return kAac << 4 | 0x0f; // always so; its configuration counts
  if (codec == Codec::Pcma || codec == Codec::Pcmu) {
    unsigned id = codec == Codec::Pcma ? kPcma : kPcmu;
    return static_cast<uint8_t>(id << 4 | k16Bits | stereo);
  }
  if (format.sample_rate == 8000) return static_cast<uint8_t>(kMp3At8Khz << 4 | k16Bits | stereo);
  unsigned rate = format.sample_rate == 11025 ? 1 : format.sample_rate == 22050 ? 2 : 3; // others count as 44100
  return static_cast<uint8_t>(kMp3 << 4 | rate << 2 | k16Bits | stereo);
}

} // namespace

std::optional<uint32_t> fourcc_of(Codec codec) {
  for (const FourCc &entry : kFourCcs) {
    if (entry.codec == codec) return entry.value;
  }
  return std::nullopt;
}

TagHead make_video_head(Codec codec, TagKind kind, bool key_frame, int32_t composition_time_ms) {
  TagHead head;
  uint8_t type = packet_type_of(kind);
  unsigned frame_type = key_frame || kind != TagKind::Frame ? kKeyFrame : kInterFrame;
  constexpr int32_t kLimit = 1 << 23;
  auto composition_time = static_cast<uint32_t>(std::clamp(composition_time_ms, -kLimit, kLimit - 1));
  if (codec == Codec::H264) {
    add(head, frame_type << 4 | kAvc, 1);
    add(head, type, 1);
    add(head, kind == TagKind::Frame ? composition_time : 0, 3);
    return head;
  }
  auto code = fourcc_of(codec);
  CHECK(code.has_value());
  bool timed = kind == TagKind::Frame && has_composition_time(codec) && composition_time_ms != 0;
  if (kind == TagKind::Frame && has_composition_time(codec) && !timed) type = kCodedFramesX;
  add(head, kExtendedVideo | frame_type << 4 | type, 1);
  add(head, *code, 4);
  if (timed) add(head, composition_time, 3);
  return head;
}

TagHead make_audio_head(Codec codec, TagKind kind, const AudioFormat &format, uint8_t track_id) {
  TagHead head;
  uint8_t type = packet_type_of(kind);
  if (codec == Codec::AacLatm) codec = Codec::Aac; // without its packets' wrapping it is the same
  bool classic = codec == Codec::Aac || codec == Codec::MpegAudio || codec == Codec::Pcma || codec == Codec::Pcmu;
  if (classic && track_id == 0) {
    add(head, sound_header(codec, format), 1);
    if (codec == Codec::Aac) add(head, type, 1);
    return head;
  }
  auto code = fourcc_of(codec);
  CHECK(code.has_value());
  if (track_id == 0) {
    add(head, kExtendedAudio << 4 | type, 1);
    add(head, *code, 4);
    return head;
  }
  add(head, kExtendedAudio << 4 | kAudioMultitrack, 1);
  add(head, kOneTrack << 4 | type, 1);
  add(head, *code, 4);
  add(head, track_id, 1);
  return head;
}

} // namespace sluice::rtmp
