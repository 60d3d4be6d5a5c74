#include "common/rtp/access_unit.h"

#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/mpeg_audio.h"
#include "common/rtp/vpx_payload.h"

namespace sluice::rtp {

using media::Codec;
using media::H264Nal;
using media::H265Nal;

namespace {

constexpr uint8_t kFragmentStart = 0x80;

// Calls `use` for each (16-bit size, NAL unit); what does not fit is left out.
template <class Use> void for_each_aggregated(Bytes units, Use use) {
  ByteReader reader(units);
  while (auto size = reader.u16()) {
    auto unit = reader.bytes(*size);
    if (!unit) return;
    if (!unit->empty()) use(*unit);
  }
}

bool begins_vp8_key_frame(Bytes payload) {
  auto parsed = parse_vp8_payload(payload);
  return parsed && parsed->begins_key_frame();
}

bool begins_vp9_key_frame(Bytes payload) {
  auto parsed = parse_vp9_payload(payload);
  return parsed && parsed->begins_key_frame();
}

// RTP payload format for AV1 section 4.4: |Z|Y| W |N|-|-|-|.
bool begins_av1_sequence(Bytes payload) {
  return (payload[0] & 0x08) != 0 && (payload[0] & 0x80) == 0;
}

// RFC 2250 section 3.4: MBZ(5) T(1) TR(10) AN(1) N(1) S(1) B(1) E(1) P(3) …; P is 1 in an I picture.
bool begins_mpeg_sequence(Bytes payload, bool first) {
  if (payload.size() < 4) return false;
  bool sequence_header = (payload[2] & 0x20) != 0;
  bool intra = (payload[2] & 0x07) == 1;
  return sequence_header || (first && intra);
}

// ISO/IEC 14496-2 section 6.2: a unit that begins with headers, or an I-VOP (B6, then two bits 00).
bool begins_mpeg4_intra(Bytes payload) {
  bool headers = false;
  for (size_t i = 0; i + 4 <= payload.size(); i++) {
    if (payload[i] != 0 || payload[i + 1] != 0 || payload[i + 2] != 1) continue;
    uint8_t code = payload[i + 3];
    if (code == 0xb6) return i + 4 < payload.size() && payload[i + 4] >> 6 == 0;
    if (code <= 0x2f || code == 0xb0 || code == 0xb3) headers = true;
  }
  return headers;
}

// RFC 2435 section 3.1: type-specific (8), fragment offset (24).
bool begins_jpeg_frame(Bytes payload) {
  return payload.size() >= 4 && (load_be32(payload.data()) & 0xffffff) == 0;
}

} // namespace

UnitFacts AccessUnitFinder::inspect(const Header &header, Bytes payload, NalListener *listener) {
  if (payload.empty()) return {};
  UnitFacts facts;
  facts.first = !timestamp_ || *timestamp_ != header.timestamp || ended_;
  if (facts.first) {
    timestamp_ = header.timestamp;
    marked_ = false;
    key_picture_ = false;
    picture_ = false;
  }
  Found found = look(payload, facts.first, listener);

  facts.random_access = found.random_access && !marked_;
  marked_ = marked_ || facts.random_access;
  key_picture_ = key_picture_ || found.key_picture;
  picture_ = picture_ || found.picture;
  facts.key_picture = key_picture_;
  facts.ends = ends_unit(header, payload);
  ended_ = facts.ends;
  return facts;
}

AccessUnitFinder::Found AccessUnitFinder::look(Bytes payload, bool first, NalListener *listener) const {
  switch (codec_) {
  case Codec::H264:
    return look_h264(payload, listener);
  case Codec::H265:
    return look_h265(payload, listener);
  case Codec::Vp8:
    return {.random_access = begins_vp8_key_frame(payload)};
  case Codec::Vp9:
    return {.random_access = begins_vp9_key_frame(payload)};
  case Codec::Av1:
    return {.random_access = begins_av1_sequence(payload)};
  case Codec::Jpeg:
    return {.random_access = begins_jpeg_frame(payload)};
  case Codec::MpegAudio: // MBZ (16), fragment offset (16): RFC 2250 section 3.5
    return {.random_access = payload.size() >= 4 && load_be16(payload.data() + 2) == 0};
  case Codec::MpegVideo:
    return {.random_access = begins_mpeg_sequence(payload, first)};
  case Codec::Mpeg4Video:
    return {.random_access = first && begins_mpeg4_intra(payload)};
  case Codec::Aac:
  case Codec::AacLatm:
  case Codec::Opus:
  case Codec::Pcmu:
  case Codec::Pcma:
  case Codec::Ac3:
  case Codec::Flac:
  case Codec::Other:
    return {.random_access = true}; // with its first packet, since a unit is marked once
  }
  return {};
}

// A NAL unit's header was seen; `begins`: and its start.
void AccessUnitFinder::add_h264(Found &found, uint8_t header, bool begins) const {
  H264Nal type = media::h264_nal_type(header);
  bool before_picture = !picture_ && !found.picture;
  if (type == H264Nal::Sps && begins && before_picture) found.random_access = true;
  if (type == H264Nal::Idr) {
    found.key_picture = true;
    found.random_access = found.random_access || begins;
  }
  found.picture = found.picture || media::is_h264_slice(type);
}

AccessUnitFinder::Found AccessUnitFinder::look_h264(Bytes payload, NalListener *listener) const {
  Found found;
  auto add_whole = [&](Bytes unit) {
    add_h264(found, unit[0], true);
    if (listener != nullptr) listener->on_nal_unit(unit);
  };
  switch (media::h264_nal_type(payload[0])) {
  case H264Nal::StapA:
    for_each_aggregated(payload.subspan(1), add_whole);
    break;
  case H264Nal::StapB:
    if (payload.size() > 3) for_each_aggregated(payload.subspan(3), add_whole);
    break;
  case H264Nal::FuA:
  case H264Nal::FuB:
    if (payload.size() < 2) break;
    add_h264(found, payload[1] & 0x1f, (payload[1] & kFragmentStart) != 0);
    if (listener != nullptr && (payload[1] & kFragmentStart) != 0)
      listener->on_fragmented_unit(static_cast<uint8_t>((payload[0] & 0xe0) | (payload[1] & 0x1f)), payload.subspan(2));
    break;
  case H264Nal::Mtap16:
  case H264Nal::Mtap24:
    break; // of the interleaved mode, where packets are not in decoding order
  default:
    add_whole(payload);
  }
  return found;
}

void AccessUnitFinder::add_h265(Found &found, uint8_t header, bool begins) const {
  H265Nal type = media::h265_nal_type(header);
  bool before_picture = !picture_ && !found.picture;
  if ((type == H265Nal::Vps || type == H265Nal::Sps) && begins && before_picture) found.random_access = true;
  if (media::is_h265_irap(type)) {
    found.key_picture = true;
    found.random_access = found.random_access || begins;
  }
  found.picture = found.picture || media::is_h265_slice(type);
}

AccessUnitFinder::Found AccessUnitFinder::look_h265(Bytes payload, NalListener *listener) const {
  Found found;
  if (payload.size() < 3) return found;
  switch (media::h265_nal_type(payload[0])) {
  case H265Nal::Aggregation:
    for_each_aggregated(payload.subspan(2), [&](Bytes unit) {
      add_h265(found, unit[0], true);
      if (listener != nullptr) listener->on_nal_unit(unit);
    });
    break;
  case H265Nal::Fragmentation:
    add_h265(found, static_cast<uint8_t>((payload[2] & 0x3f) << 1), (payload[2] & kFragmentStart) != 0);
    break;
  case H265Nal::Paci:
    break;
  default:
    add_h265(found, payload[0], true);
    if (listener != nullptr) listener->on_nal_unit(payload);
  }
  return found;
}

bool AccessUnitFinder::ends_unit(const Header &header, Bytes payload) {
  switch (codec_) {
  case Codec::Opus:
  case Codec::Pcmu:
  case Codec::Pcma:
    return true;
  case Codec::MpegAudio:
    return mpeg_audio_ends(payload);
  default:
    return header.marker && (!has_nal_units() || picture_);
  }
}

// A packet holds whole frames or a fragment of one; the frame's own header says how long it is.
bool AccessUnitFinder::mpeg_audio_ends(Bytes payload) {
  if (payload.size() < 4) return true;
  size_t offset = load_be16(payload.data() + 2);
  Bytes data = payload.subspan(4);
  if (offset == 0) {
    auto frame = media::parse_mpeg_audio_header(data);
    audio_frame_size_ = frame ? frame->size : uint16_t{0};
  }
  return offset + data.size() >= audio_frame_size_;
}

} // namespace sluice::rtp
