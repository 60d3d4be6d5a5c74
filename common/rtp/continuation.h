// Makes one RTP stream of one that ended and those that follow: readers that stay see the same SSRC, and sequence
// numbers and timestamps that go on, however often their source comes back with others. One per track. Pure.
#pragma once

#include "common/rtp/packet.h"
#include "common/rtp/sender_report.h"

#include <optional>

namespace sluice::rtp {

class Continuation {
public:
  // `former`: where the stream stands, active. `last_arrival`: about when its last packet came (monotonic).
  Continuation(const SenderState &former, uint32_t clock_rate, Nanoseconds last_arrival);

  // The first kHeaderSize bytes of a valid packet as they are to be sent; what follows them stays.
  std::array<uint8_t, kHeaderSize> header(Bytes packet, Nanoseconds arrival);

  // The state of the whole, of which `source` is that of the packets since.
  SenderState state(const SenderState &source) const;

private:
  void connect(const Header &first, Nanoseconds arrival);
  uint32_t ticks_since_last(Nanoseconds arrival) const;

  SenderState former_;
  uint32_t clock_rate_;
  std::optional<uint32_t> source_; // SSRC of the packets that the offsets are for
  uint16_t sequence_offset_ = 0;
  uint32_t time_offset_ = 0;
  uint16_t last_sequence_; // sent
  uint32_t last_time_;
  Nanoseconds last_arrival_;
};

} // namespace sluice::rtp
