// What a reader receives: interleaved packets (RFC 2326 section 10.12) between replies, and the check
// that the RTP sequence numbers of a track have no gap.
#pragma once

#include "common/base/bytes.h"

#include <functional>

namespace sluice::fanout {

// Splits a stream that arrives in any pieces. Holds at most one packet or reply.
class InterleavedParser {
public:
  using OnPacket = std::function<void(uint8_t channel, Bytes packet)>;

  // False when the framing is broken; the parser must not be used any more.
  bool feed(Bytes input, const OnPacket &on_packet);

private:
  ByteVector partial_;
};

struct SequenceCheck {
  uint64_t packets = 0;
  uint64_t lost = 0;
  uint64_t disordered = 0;

  // Takes the first bytes of an RTP packet.
  void on_packet(Bytes head);

private:
  uint16_t next_ = 0;
  bool started_ = false;
};

constexpr size_t kRtpHeaderSize = 12;

inline bool rtp_marker(Bytes packet) {
  return packet.size() >= kRtpHeaderSize && (packet[1] & 0x80) != 0;
}

} // namespace sluice::fanout
