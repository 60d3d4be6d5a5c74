// Repacketizer of AAC (RFC 3640, without interleaving): whole access units are grouped as they fit, larger ones
// are cut. Nothing is held back.
//
//   AU-headers-length (16, in bits) | AU-size, AU-Index or AU-Index-delta … | filled up to 8 bits | access units
#pragma once

#include "common/media/aac.h"
#include "common/rtp/repacketizer.h"

namespace sluice::rtp {

class AacRepacketizer final : public Repacketizer {
public:
  // `format.size_length` is not 0, and `format.simple`.
  AacRepacketizer(const media::AacFormat &format, uint32_t clock_rate);

  Result<void> push(const PacketView &packet, PacketListener &out) override;

private:
  size_t headers_size(size_t units) const; // with the length field, bytes
  void add_header(uint32_t unit_size);
  void flush(PacketListener &out);
  void send_cut(uint32_t unit_size, Bytes data, bool marker, PacketListener &out);

  unsigned size_length_;
  unsigned index_length_;
  unsigned delta_length_;
  uint32_t unit_duration_; // in ticks of the RTP clock

  // The group that is being made: headers and units apart, since the number of headers is not known.
  std::array<uint8_t, kMaxPayload> headers_;
  size_t header_bits_ = 0;
  size_t count_ = 0;
  std::array<uint8_t, kMaxPayload> data_;
  size_t data_size_ = 0;
  std::array<uint8_t, kMaxPayload> payload_;
};

} // namespace sluice::rtp
