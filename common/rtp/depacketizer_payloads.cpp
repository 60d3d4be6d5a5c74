// The payload formats of Depacketizer.
#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/bit_reader.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/mpeg_audio.h"
#include "common/rtp/depacketizer.h"

namespace sluice::rtp {

using media::H264Nal;
using media::H265Nal;

namespace {

constexpr uint8_t kStart = 0x80; // of FU headers
constexpr uint8_t kEnd = 0x40;

Nanoseconds samples_ns(uint64_t samples, uint32_t rate) {
  return rate == 0 ? 0 : static_cast<Nanoseconds>(samples * static_cast<uint64_t>(kSecond) / rate);
}

} // namespace

void Depacketizer::take_aggregate(Bytes units, size_t header_size) {
  ByteReader reader(units);
  while (!reader.rest().empty()) {
    auto size = reader.u16();
    auto unit = size ? reader.bytes(*size) : std::nullopt;
    if (!unit) return damage();
    if (unit->size() <= header_size) continue;
    bool h264 = header_size == 1;
    picture_ = picture_ || (h264 ? media::is_h264_slice(media::h264_nal_type((*unit)[0]))
                                 : media::is_h265_slice(media::h265_nal_type((*unit)[0])));
    if (!append_unit(*unit)) return;
  }
}

void Depacketizer::take_fragment(Bytes nal_header, uint8_t fragment_header, Bytes data) {
  if ((fragment_header & kStart) != 0) {
    if (open_) return damage();
    if (!append_unit(nal_header)) return;
    open_ = true;
  } else if (!open_) {
    return damage();
  }
  if (!append(data)) return;
  if ((fragment_header & kEnd) != 0) open_ = false;
}

// RFC 6184 section 5.2, without the interleaved mode.
void Depacketizer::take_h264(Bytes payload) {
  H264Nal type = media::h264_nal_type(payload[0]);
  if (type == H264Nal::FuA) {
    if (payload.size() < 2) return damage();
    std::array<uint8_t, 1> header{static_cast<uint8_t>((payload[0] & 0xe0) | (payload[1] & 0x1f))};
    picture_ = picture_ || media::is_h264_slice(media::h264_nal_type(header[0]));
    return take_fragment(header, payload[1], payload.subspan(2));
  }
  if (open_) return damage(); // the end of the fragments is missing
  if (type == H264Nal::StapA) return take_aggregate(payload.subspan(1), 1);
  if (type > H264Nal::StapA) return damage();
  if (payload.size() < 2) return;
  picture_ = picture_ || media::is_h264_slice(type);
  append_unit(payload);
}

// RFC 7798 section 4.4, without decoding order numbers.
void Depacketizer::take_h265(Bytes payload) {
  if (payload.size() < 3) return;
  H265Nal type = media::h265_nal_type(payload[0]);
  if (type == H265Nal::Fragmentation) {
    std::array<uint8_t, 2> header{static_cast<uint8_t>((payload[0] & 0x81) | (payload[2] & 0x3f) << 1), payload[1]};
    picture_ = picture_ || media::is_h265_slice(media::h265_nal_type(header[0]));
    return take_fragment(header, payload[2], payload.subspan(3));
  }
  if (open_) return damage();
  if (type == H265Nal::Aggregation) return take_aggregate(payload.subspan(2), 2);
  if (type > H265Nal::Aggregation) return damage();
  picture_ = picture_ || media::is_h265_slice(type);
  append_unit(payload);
}

// RTP payload format for AV1 section 4.4: |Z|Y|W W|N|0 0 0|, then W elements, of which the last has no size; or with
// W = 0 any number, each with a size.
void Depacketizer::take_av1(Bytes payload) {
  uint8_t head = payload[0];
  bool continues = (head & 0x80) != 0;
  if (continues != open_) return damage();
  unsigned count = head >> 4 & 3;
  ByteReader reader(payload.subspan(1));
  for (unsigned i = 0; !reader.rest().empty() && (count == 0 || i < count); i++) {
    size_t size = reader.rest().size();
    if (count == 0 || i + 1 < count) {
      auto stated = media::read_leb128(reader);
      if (!stated || *stated > reader.rest().size()) return damage();
      size = *stated;
    }
    Bytes element = *reader.bytes(size);
    bool appended = open_ ? append(element) : append_unit(element);
    if (!appended) return;
    open_ = false;
  }
  if (places_.empty()) return damage();
  open_ = (head & 0x40) != 0;
}

void Depacketizer::take_frame_part(Bytes data, bool begins) {
  if (!begins && places_.empty()) return damage();
  if (places_.empty() && !begin_unit()) return;
  append(data);
}

// AU-headers-length (16), AU headers, access units (RFC 3640 section 3.2). A unit that is larger than its packet comes
// in fragments, each with the header of the whole.
void Depacketizer::take_aac(Bytes payload, bool marker, Sink &sink) {
  ByteReader reader(payload);
  auto bits = reader.u16();
  auto headers = bits ? reader.bytes((*bits + 7u) / 8) : std::nullopt;
  if (!headers) return damage();
  media::BitReader fields(*headers);
  Nanoseconds after = 0;
  Nanoseconds step = samples_ns(aac_.config.frame_samples(), aac_.config.sample_rate);
  size_t used = 0;
  for (unsigned i = 0; used < *bits; i++) {
    unsigned index_length = i == 0 ? aac_.index_length : aac_.index_delta_length;
    size_t size = fields.bits(aac_.size_length);
    uint32_t index = fields.bits(index_length);
    used += aac_.size_length + index_length;
    if (!fields.ok() || used > *bits || index != 0) return damage(); // not 0: interleaved
    Bytes rest = reader.rest();
    if (size > rest.size() || wanted_ > 0) {
      bool fits = i == 0 && used == *bits && size <= kMaxAccessUnit && (wanted_ == 0 || wanted_ == size);
      if (!fits || buffer_.size() + rest.size() > size) return damage();
      wanted_ = size;
      take_frame_part(rest, true);
      if (!damaged_ && marker && buffer_.size() < size) damage();
      return;
    }
    emit_frame(*reader.bytes(size), after, sink);
    after += step;
  }
}

// AudioMuxElement without StreamMuxConfig: PayloadLengthInfo (bytes of 255 and a smaller one, to be added), then the
// frame (RFC 6416 section 6, ISO/IEC 14496-3 section 1.7.3).
void Depacketizer::take_latm(Bytes payload, bool marker, Sink &sink) {
  if (!marker || !places_.empty()) take_frame_part(payload, true);
  if (!marker || damaged_) return;
  Bytes element = places_.empty() ? payload : Bytes(buffer_);
  ByteReader reader(element);
  size_t size = 0;
  for (std::optional<uint8_t> byte = 255; byte == 255;) {
    byte = reader.u8();
    if (!byte) return damage();
    size += *byte;
  }
  auto frame = reader.bytes(size);
  if (!frame) return damage();
  emit_frame(*frame, 0, sink);
  begun_ = false;
  buffer_.clear();
  places_.clear();
}

// RFC 2250 section 3.5: MBZ (16), fragment offset (16); whole frames or a fragment of one.
void Depacketizer::take_mpeg_audio(Bytes payload, Sink &sink) {
  if (payload.size() < 5) return damage();
  size_t offset = load_be16(payload.data() + 2);
  Bytes data = payload.subspan(4);
  if (offset > 0) {
    if (offset != buffer_.size() || wanted_ == 0) return damage();
    take_frame_part(data, true);
    if (!damaged_ && buffer_.size() >= wanted_) finish(sink);
    return;
  }
  if (!places_.empty()) return damage();
  Nanoseconds after = 0;
  while (!data.empty()) {
    auto frame = media::parse_mpeg_audio_header(data);
    if (!frame || frame->size < 4) return damage();
    if (frame->size > data.size()) {
      wanted_ = frame->size;
      return after == 0 ? take_frame_part(data, true) : damage();
    }
    emit_frame(data.first(frame->size), after, sink);
    after += samples_ns(frame->samples, frame->sample_rate);
    data = data.subspan(frame->size);
  }
  begun_ = false;
}

// RFC 4184 section 4.1.1: MBZ (6), FT (2), NF (8).
void Depacketizer::take_ac3(Bytes payload, bool marker, Sink &sink) {
  if (payload.size() < 3) return damage();
  uint8_t kind = payload[0] & 3;
  Bytes data = payload.subspan(2);
  if (kind != 0) {
    take_frame_part(data, kind != 3);
    if (!damaged_ && marker) {
      auto frame = media::parse_ac3_header(buffer_);
      if (!frame || frame->size != buffer_.size()) damage();
    }
    return;
  }
  Nanoseconds after = 0;
  while (!data.empty()) {
    auto frame = media::parse_ac3_header(data);
    if (!frame || frame->size > data.size()) return damage();
    emit_frame(data.first(frame->size), after, sink);
    after += samples_ns(media::kAc3FrameSamples, frame->sample_rate);
    data = data.subspan(frame->size);
  }
}

} // namespace sluice::rtp
