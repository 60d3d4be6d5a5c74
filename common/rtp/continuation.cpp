#include "common/rtp/continuation.h"

#include "common/rtp/sequence.h"

#include <algorithm>
#include <cstring>

namespace sluice::rtp {

Continuation::Continuation(const SenderState &former, uint32_t clock_rate, Nanoseconds last_arrival)
    : former_(former), clock_rate_(clock_rate), last_sequence_(former.last_sequence), last_time_(former.last_rtp_time),
      last_arrival_(last_arrival) {
  // A track may have been silent for longer than the stream; it is known exactly where its last packet is a reference.
  if (former.has_reference && former.reference_rtp_time == former.last_rtp_time)
    last_arrival_ = former.reference_monotonic;
}

// At least a little: two pictures never have the same time.
uint32_t Continuation::ticks_since_last(Nanoseconds arrival) const {
  constexpr Nanoseconds kLeast = 20 * kMillisecond;
  Nanoseconds elapsed = std::max(arrival - last_arrival_, kLeast);
  return static_cast<uint32_t>(ns_to_ticks(elapsed, clock_rate_));
}

void Continuation::connect(const Header &first, Nanoseconds arrival) {
  source_ = first.ssrc;
  sequence_offset_ = static_cast<uint16_t>(last_sequence_ + 1 - first.sequence);
  time_offset_ = last_time_ + ticks_since_last(arrival) - first.timestamp;
}

std::array<uint8_t, kHeaderSize> Continuation::header(Bytes packet, Nanoseconds arrival) {
  std::array<uint8_t, kHeaderSize> bytes;
  std::memcpy(bytes.data(), packet.data(), bytes.size());
  Header header{.sequence = load_be16(&bytes[2]), .timestamp = load_be32(&bytes[4]), .ssrc = load_be32(&bytes[8])};
  if (source_ != header.ssrc) connect(header, arrival);
  last_sequence_ = static_cast<uint16_t>(header.sequence + sequence_offset_);
  last_time_ = header.timestamp + time_offset_;
  last_arrival_ = arrival;
  store_be16(&bytes[2], last_sequence_);
  store_be32(&bytes[4], last_time_);
  store_be32(&bytes[8], former_.ssrc);
  return bytes;
}

SenderState Continuation::state(const SenderState &source) const {
  if (!source.active) return former_;
  SenderState whole = source;
  whole.ssrc = former_.ssrc;
  whole.first_sequence = former_.first_sequence;
  whole.last_sequence = last_sequence_;
  whole.last_rtp_time = last_time_;
  whole.packets += former_.packets;
  whole.octets += former_.octets;
  if (source.has_reference) {
    whole.reference_rtp_time = source.reference_rtp_time + time_offset_;
  } else { // time went on meanwhile, and so does the line that the former reference lies on
    whole.has_reference = former_.has_reference;
    whole.reference_rtp_time = former_.reference_rtp_time;
    whole.reference_monotonic = former_.reference_monotonic;
    whole.reference_wall = former_.reference_wall;
  }
  if (source.has_publisher_clock) {
    whole.publisher_rtp_time = source.publisher_rtp_time + time_offset_;
  } else {
    whole.has_publisher_clock = former_.has_publisher_clock;
    whole.publisher_ntp = former_.publisher_ntp;
    whole.publisher_rtp_time = former_.publisher_rtp_time;
    whole.publisher_monotonic = former_.publisher_monotonic;
  }
  return whole;
}

} // namespace sluice::rtp
