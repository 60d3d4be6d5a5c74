// Repacketizer of H.264 (RFC 6184, packetization mode 1) and H.265 (RFC 7798, without DONL fields).
//
// Small NAL units of an access unit are gathered into one STAP-A or AP, large ones cut into FUs as their bytes
// arrive, so no NAL unit is ever held as a whole. A NAL unit whose end does not come by the next timestamp is left
// without one.
#pragma once

#include "common/rtp/repacketizer.h"

namespace sluice::rtp {

class NalRepacketizer final : public Repacketizer {
public:
  explicit NalRepacketizer(media::Codec codec);

  Result<void> push(const PacketView &packet, PacketListener &out) override;

private:
  // H.264's header is the first byte shifted left by 8, H.265's both bytes.
  uint16_t read_header(const uint8_t *p) const;
  void write_nal_header(uint16_t header, uint8_t *p) const;
  uint8_t type_of(uint16_t header) const;
  uint16_t with_type(uint16_t header, uint8_t type) const;

  Result<void> push_aggregate(Bytes units, bool marker, PacketListener &out);
  Result<void> push_fragment(Bytes payload, bool resume, bool marker, PacketListener &out);
  Result<void> push_nal_unit(Bytes unit, bool marker, PacketListener &out);
  void gather(Bytes unit, PacketListener &out);
  void flush(bool marker, PacketListener &out);
  void begin_fragments(uint16_t header);
  Result<void> append_fragment(Bytes data, PacketListener &out);
  void end_fragments(bool marker, PacketListener &out);
  void send_fragment(bool end, bool marker, PacketListener &out);

  bool h265_;
  size_t header_size_; // of a NAL unit
  uint8_t aggregate_type_;
  uint8_t fragment_type_;

  // Gathered NAL units, as the aggregate that they would be: header, then (size, unit)…
  std::array<uint8_t, kMaxPayload + 4> gathered_; // one unit of kMaxPayload bytes fits too; it is sent alone
  size_t gathered_size_ = 0;
  size_t gathered_count_ = 0;
  uint16_t gathered_header_ = 0;

  // The NAL unit that arrives in fragments, and its bytes that were not sent yet.
  bool open_ = false;
  bool start_sent_ = false;
  uint16_t fragment_header_ = 0;
  size_t nal_size_ = 0;
  std::array<uint8_t, kMaxPayload> fragment_; // FU headers, then data
  size_t fragment_size_ = 0;
};

} // namespace sluice::rtp
