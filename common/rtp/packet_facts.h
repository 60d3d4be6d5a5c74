// What is known about an RTP packet that goes into a ring, and who takes it there.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace sluice::rtp {

struct PacketFacts {
  bool marker = false;
  bool first_of_access_unit = false;
  bool ends_access_unit = false;
  bool random_access = false;  // on one packet of a random access unit: the first, if that is known by then
  bool pts_equals_dts = false; // H264, H265: the unit is known to hold an IDR or IRAP picture; others: always
  bool oversized = false;      // more than kMaxPacket bytes; does not fit into a UDP datagram
  Nanoseconds pts_ns = 0;      // counts from the start that was given; follows the RTP timestamp
  Nanoseconds dts_ns = 0;      // may be negative
  Nanoseconds arrival_ns = 0;  // monotonic
};

class PacketSink {
public:
  // The bytes are valid during the call.
  virtual void on_packet(Bytes rtp_packet, const PacketFacts &facts) = 0;

protected:
  ~PacketSink() = default;
};

} // namespace sluice::rtp
