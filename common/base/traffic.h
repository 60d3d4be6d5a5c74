// What flowed for a session, or for several. "In" is what clients and sources sent to us. What counts as a packet is
// the protocol's: RTP packets, RTMP messages, requests to HLS, samples of an HLS source.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice {

struct Traffic {
  uint64_t bytes_in = 0, bytes_out = 0, packets_in = 0, packets_out = 0;
  uint64_t lost = 0;      // packets in that never came
  uint64_t dropped = 0;   // packets that a reader did not get
  uint64_t laps = 0;      // how often a reader was so slow that the ring overtook it
  uint32_t jitter_us = 0; // the greatest of them

  void add(const Traffic &other) {
    bytes_in += other.bytes_in;
    bytes_out += other.bytes_out;
    packets_in += other.packets_in;
    packets_out += other.packets_out;
    lost += other.lost;
    dropped += other.dropped;
    laps += other.laps;
    jitter_us = std::max(jitter_us, other.jitter_us);
  }
  bool operator==(const Traffic &) const = default;
};

template <class A> void visit(A &a, Traffic &t) {
  a(t.bytes_in), a(t.bytes_out), a(t.packets_in), a(t.packets_out), a(t.lost), a(t.dropped), a(t.laps), a(t.jitter_us);
}

} // namespace sluice
