#include "common/rtp/vpx_payload.h"

namespace sluice::rtp {

namespace {

void skip_vp9_structure(ByteReader &reader) {
  uint8_t structure = reader.u8().value_or(0);
  if ((structure & 0x10) != 0) reader.bytes(4 * size_t{(structure >> 5) + 1u});
  if ((structure & 0x08) == 0) return;
  unsigned pictures = reader.u8().value_or(0);
  for (unsigned i = 0; i < pictures; i++) reader.bytes(reader.u8().value_or(0) >> 2 & 3);
}

} // namespace

std::optional<Vp8Payload> parse_vp8_payload(Bytes payload) {
  ByteReader reader(payload);
  uint8_t first = reader.u8().value_or(0);
  if ((first & 0x80) != 0) {
    uint8_t extension = reader.u8().value_or(0);
    if ((extension & 0x80) != 0 && (reader.u8().value_or(0) & 0x80) != 0) reader.u8(); // PictureID, 7 or 15 bits
    if ((extension & 0x40) != 0) reader.u8();                                          // TL0PICIDX
    if ((extension & 0x30) != 0) reader.u8();                                          // TID, KEYIDX
  }
  if (reader.rest().empty()) return std::nullopt;
  return Vp8Payload{.begins_frame = (first & 0x10) != 0 && (first & 0x07) == 0, .data = reader.rest()};
}

std::optional<Vp9Payload> parse_vp9_payload(Bytes payload) {
  ByteReader reader(payload);
  uint8_t first = reader.u8().value_or(0);
  Vp9Payload parsed;
  parsed.begins_frame = (first & 0x08) != 0;
  parsed.inter = (first & 0x40) != 0;
  bool flexible = (first & 0x10) != 0;
  if ((first & 0x80) != 0 && (reader.u8().value_or(0) & 0x80) != 0) reader.u8(); // PictureID, 7 or 15 bits
  if ((first & 0x20) != 0) {
    parsed.layer = reader.u8().value_or(0) >> 1 & 7;
    if (!flexible) reader.u8(); // TL0PICIDX
  }
  for (int i = 0; i < 3 && flexible && parsed.inter; i++) {
    if ((reader.u8().value_or(0) & 1) == 0) break;
  }
  if ((first & 0x02) != 0) skip_vp9_structure(reader);
  if (reader.rest().empty()) return std::nullopt;
  parsed.data = reader.rest();
  return parsed;
}

bool Vp9Payload::begins_key_frame() const {
  if (!begins_frame || inter || layer != 0 || data[0] >> 6 != 2) return false;
  bool long_profile = (data[0] & 0x30) == 0x30;
  return (data[0] & (long_profile ? 0x06 : 0x0c)) == 0;
}

} // namespace sluice::rtp
