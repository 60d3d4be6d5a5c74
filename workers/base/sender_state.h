// The publisher's facts about a track, as RTP code and as the ring hold them.
#pragma once

#include "common/rtp/sender_report.h"
#include "ipc/ring/ring_layout.h"

namespace sluice::worker {

inline ring::TrackState to_ring(const rtp::SenderState &s, uint64_t lost) {
  return {.ssrc = s.ssrc,
          .has_traffic = s.active,
          .first_rtp_sequence = s.first_sequence,
          .last_rtp_sequence = s.last_sequence,
          .last_rtp_timestamp = s.last_rtp_time,
          .has_clock = s.has_reference,
          .clock_rtp_timestamp = s.reference_rtp_time,
          .clock_arrival_ns = s.reference_monotonic,
          .clock_wall_ns = s.reference_wall,
          .packets = s.packets,
          .octets = s.octets,
          .lost = lost,
          .has_publisher_clock = s.has_publisher_clock,
          .publisher_rtp_timestamp = s.publisher_rtp_time,
          .publisher_ntp = s.publisher_ntp,
          .publisher_arrival_ns = s.publisher_monotonic};
}

inline rtp::SenderState from_ring(const ring::TrackState &s) {
  return {.active = s.has_traffic,
          .ssrc = s.ssrc,
          .first_sequence = s.first_rtp_sequence,
          .last_sequence = s.last_rtp_sequence,
          .last_rtp_time = s.last_rtp_timestamp,
          .has_reference = s.has_clock,
          .reference_rtp_time = s.clock_rtp_timestamp,
          .reference_monotonic = s.clock_arrival_ns,
          .reference_wall = s.clock_wall_ns,
          .packets = s.packets,
          .octets = s.octets,
          .has_publisher_clock = s.has_publisher_clock,
          .publisher_ntp = s.publisher_ntp,
          .publisher_rtp_time = s.publisher_rtp_timestamp,
          .publisher_monotonic = s.publisher_arrival_ns};
}

} // namespace sluice::worker
