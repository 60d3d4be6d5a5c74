// RTP packets (RFC 3550 section 5.1). Pure; views own nothing.
//
//    0                   1                   2                   3
//   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//   |                           timestamp                           |
//   |                             SSRC                              |
//   | CSRC × CC, then with X: profile (16), length in words (16), data; payload; with P: padding, its last byte = size
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <array>

namespace sluice::rtp {

constexpr size_t kHeaderSize = 12;
constexpr size_t kMaxPacket = 1472; // what fits into a UDP datagram on Ethernet; larger ones are "oversized"
constexpr size_t kMaxPayload = kMaxPacket - kHeaderSize;
constexpr size_t kMaxTcpPacket = 65535; // an interleaved frame's length has 16 bits

struct Header {
  bool marker = false;
  uint8_t payload_type = 0; // 0..127
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

struct PacketView {
  Header header;
  size_t header_size = kHeaderSize; // with CSRCs and extension
  size_t padding = 0;               // bytes at the end, 0 without P
  Bytes payload;                    // without padding
};

// Errors: too short, another version, CSRCs, extension or padding that do not fit.
Result<PacketView> parse_packet(Bytes packet);

// 12 bytes: no CSRC, no extension, no padding.
void write_header(const Header &header, uint8_t *out);

// `packet` (parsed as `view`) without its padding, written to `out` (at least packet.size() bytes).
Bytes without_padding(Bytes packet, const PacketView &view, MutableBytes out);

// An RTP packet without payload, that opens a NAT's or firewall's hole.
std::array<uint8_t, kHeaderSize> make_empty_packet();

} // namespace sluice::rtp
