#include "common/rtp/packet.h"

#include "common/base/check.h"

#include <cstring>

namespace sluice::rtp {

Result<PacketView> parse_packet(Bytes packet) {
  if (packet.size() < kHeaderSize) return Error{"invalid RTP packet: too short"};
  if (packet[0] >> 6 != 2) return Error{"invalid RTP packet: the version is not 2"};
  PacketView view;
  view.header.marker = (packet[1] & 0x80) != 0;
  view.header.payload_type = packet[1] & 0x7f;
  view.header.sequence = load_be16(packet.data() + 2);
  view.header.timestamp = load_be32(packet.data() + 4);
  view.header.ssrc = load_be32(packet.data() + 8);
  view.header_size = kHeaderSize + 4 * size_t{packet[0] & 0x0fu};
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() < view.header_size + 4) return Error{"invalid RTP packet: the header extension does not fit"};
    view.header_size += 4 + 4 * size_t{load_be16(packet.data() + view.header_size + 2)};
  }
  if (packet.size() < view.header_size) return Error{"invalid RTP packet: the header does not fit"};
  if ((packet[0] & 0x20) != 0) {
    view.padding = packet.back();
    if (view.padding == 0 || view.padding > packet.size() - view.header_size)
      return Error{"invalid RTP packet: the padding does not fit"};
  }
  view.payload = packet.subspan(view.header_size, packet.size() - view.header_size - view.padding);
  return view;
}

void write_header(const Header &header, uint8_t *out) {
  out[0] = 2 << 6;
  out[1] = static_cast<uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f));
  store_be16(out + 2, header.sequence);
  store_be32(out + 4, header.timestamp);
  store_be32(out + 8, header.ssrc);
}

Bytes without_padding(Bytes packet, const PacketView &view, MutableBytes out) {
  size_t size = packet.size() - view.padding;
  CHECK(out.size() >= size);
  std::memcpy(out.data(), packet.data(), size);
  out[0] &= static_cast<uint8_t>(~0x20);
  return out.first(size);
}

std::array<uint8_t, kHeaderSize> make_empty_packet() {
  std::array<uint8_t, kHeaderSize> packet{};
  write_header({}, packet.data());
  return packet;
}

} // namespace sluice::rtp
