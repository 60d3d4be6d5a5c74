// Makes fragmented MP4 files for tests.
#pragma once

#include "common/media/aac.h"
#include "common/media/avc_configuration.h"
#include "demux_record.h"

#include <cstring>
#include <optional>

namespace sluice::hls {

inline ByteVector be32(uint64_t value) {
  ByteVector out(4);
  store_be32(out.data(), static_cast<uint32_t>(value));
  return out;
}
inline ByteVector be64(uint64_t value) {
  return be32(value >> 32) + be32(value & 0xffffffff);
}

inline ByteVector box(const char *type, const ByteVector &body) {
  return be32(8 + body.size()) + ByteVector(type, type + 4) + body;
}
inline ByteVector full_box(const char *type, uint8_t version, uint32_t flags, const ByteVector &body) {
  return box(type, be32(static_cast<uint32_t>(version) << 24 | flags) + body);
}

inline ByteVector video_entry(const char *type, const ByteVector &boxes) {
  return box(type, ByteVector(78) + boxes);
}
inline ByteVector audio_entry(const char *type, uint8_t channels, uint32_t rate, const ByteVector &boxes) {
  ByteVector fields(28);
  fields[17] = channels;
  store_be32(&fields[24], rate << 16);
  return box(type, fields + boxes);
}
inline ByteVector avc_entry(const char *type = "avc1") {
  return video_entry(type, box("avcC", media::write_avc_configuration(h264_sets()).value()));
}
inline ByteVector esds(uint8_t object_type, const ByteVector &specific) {
  ByteVector info = ByteVector{5, static_cast<uint8_t>(specific.size())} + specific;
  ByteVector config = ByteVector{object_type, 0x15} + ByteVector(11) + info;
  ByteVector stream = ByteVector{0, 1, 0, 4, static_cast<uint8_t>(config.size())} + config + ByteVector{6, 1, 2};
  return full_box("esds", 0, 0, ByteVector{3, 0x80, 0x80, 0x80, static_cast<uint8_t>(stream.size())} + stream);
}
inline ByteVector aac_entry() {
  return audio_entry("mp4a", 2, 48000, esds(0x40, {0x11, 0x90})); // LC, 48 kHz, stereo
}

inline ByteVector trak(uint32_t id, uint32_t timescale, const ByteVector &entries, const ByteVector &more = {}) {
  ByteVector stbl = box("stbl", full_box("stsd", 0, 0, be32(1) + entries));
  ByteVector mdia =
      box("mdia", full_box("mdhd", 0, 0, ByteVector(8) + be32(timescale) + ByteVector(8)) + box("minf", stbl));
  return box("trak", full_box("tkhd", 0, 3, ByteVector(8) + be32(id) + ByteVector(68)) + more + mdia);
}
inline ByteVector trex(uint32_t id, uint32_t duration, uint32_t size, uint32_t flags) {
  return full_box("trex", 0, 0, be32(id) + be32(1) + be32(duration) + be32(size) + be32(flags));
}
inline ByteVector moov(const ByteVector &traks, const ByteVector &trexes = {}) {
  ByteVector mvhd = full_box("mvhd", 0, 0, ByteVector(8) + be32(1000) + ByteVector(84));
  return box("ftyp", be32(0)) + box("moov", mvhd + traks + box("mvex", trexes));
}
// Track 1: H264 at 90 kHz, track 2: AAC at 48 kHz.
inline ByteVector usual_movie() {
  return moov(trak(1, 90'000, avc_entry()) + trak(2, 48'000, aac_entry()),
              trex(1, 3000, 0, 0x0101'0000) + trex(2, 1024, 0, 0x0200'0000));
}

constexpr uint32_t kKeyFlags = 0x0200'0000;

inline ByteVector nal_sample(bool idr, size_t size, uint8_t content) {
  ByteVector unit(size, content);
  unit[0] = idr ? 0x65 : 0x41;
  return be32(size) + unit;
}
inline ByteVector tfdt(uint64_t time) {
  return full_box("tfdt", 1, 0, be64(time));
}

} // namespace sluice::hls
