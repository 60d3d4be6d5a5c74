// RTP packets for tests.
#pragma once

#include "common/rtp/packet.h"
#include "tests/unit/media/hex.h"

#include <string_view>

namespace sluice::rtp {

inline ByteVector make_packet(uint16_t sequence, uint32_t timestamp, bool marker, Bytes payload, uint32_t ssrc = 0x1234,
                              uint8_t payload_type = 96) {
  ByteVector packet(kHeaderSize);
  write_header({marker, payload_type, sequence, timestamp, ssrc}, packet.data());
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

inline ByteVector make_packet(uint16_t sequence, uint32_t timestamp, bool marker, std::string_view payload) {
  return make_packet(sequence, timestamp, marker, hex(payload));
}

// `size` bytes that begin with `start` and go on with a pattern.
inline ByteVector filled(std::string_view start, size_t size, uint8_t seed = 1) {
  ByteVector out = hex(start);
  while (out.size() < size) out.push_back(static_cast<uint8_t>(out.size() * 7 + seed));
  return out;
}

} // namespace sluice::rtp
