// Cuts packets that are too large for UDP into ones that are not: payloads of at most kMaxPayload bytes with the
// same payload type, SSRC and timestamp, numbered on from the first packet that it is given. H.264 (RFC 6184
// single NAL units, STAP-A, FU-A), H.265 (RFC 7798 single, AP, FU) and AAC (RFC 3640). Works as a stream: at most
// one packet is held back, and only until the access unit's marker or the next packet. CSRCs and header
// extensions are not kept. Lives as long as its track.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"
#include "common/rtp/packet.h"

#include <array>
#include <memory>

namespace sluice::rtp {

constexpr size_t kMaxNalUnit = 3 << 20;

class PacketListener {
public:
  virtual void on_packet(Bytes packet) = 0;

protected:
  ~PacketListener() = default;
};

class Repacketizer {
public:
  // Null when packets of that track have to stay as they are.
  static std::unique_ptr<Repacketizer> create(const media::Track &track);
  virtual ~Repacketizer() = default;

  // Errors: a malformed payload, a NAL unit larger than kMaxNalUnit. Fragments whose start was never seen
  // are taken as continuing what was sent before the first packet; later ones are dropped.
  virtual Result<void> push(const PacketView &packet, PacketListener &out) = 0;

protected:
  // Sends one packet, payload.size() is 1..kMaxPayload.
  void send(Bytes payload, bool marker, PacketListener &out);
  // Fields for the packets to come; the first call sets the sequence number too.
  void set_header(const Header &header);
  void set_timestamp(uint32_t timestamp) { header_.timestamp = timestamp; }
  uint32_t timestamp() const { return header_.timestamp; }
  bool started() const { return started_; }

private:
  Header header_;
  bool started_ = false;
  std::array<uint8_t, kMaxPacket> packet_;
};

} // namespace sluice::rtp
