#include "ipc/ring/ring_layout.h"

namespace sluice::ring {

PackedTrackState pack(const TrackState &state) {
  return {uint64_t{state.ssrc} | uint64_t{state.first_rtp_sequence} << 32 | uint64_t{state.last_rtp_sequence} << 48,
          uint64_t{state.last_rtp_timestamp} | uint64_t{state.clock_rtp_timestamp} << 32,
          uint64_t{state.has_traffic} | uint64_t{state.has_clock} << 1 | uint64_t{state.has_publisher_clock} << 2 |
              uint64_t{state.publisher_rtp_timestamp} << 32,
          static_cast<uint64_t>(state.clock_arrival_ns),
          static_cast<uint64_t>(state.clock_wall_ns),
          state.packets,
          state.octets,
          state.lost,
          state.publisher_ntp,
          static_cast<uint64_t>(state.publisher_arrival_ns)};
}

TrackState unpack_track_state(const PackedTrackState &words) {
  TrackState state;
  state.ssrc = static_cast<uint32_t>(words[0]);
  state.first_rtp_sequence = static_cast<uint16_t>(words[0] >> 32);
  state.last_rtp_sequence = static_cast<uint16_t>(words[0] >> 48);
  state.last_rtp_timestamp = static_cast<uint32_t>(words[1]);
  state.clock_rtp_timestamp = static_cast<uint32_t>(words[1] >> 32);
  state.has_traffic = (words[2] & 1) != 0;
  state.has_clock = (words[2] & 2) != 0;
  state.clock_arrival_ns = time_of(words[3]);
  state.clock_wall_ns = time_of(words[4]);
  state.packets = words[5];
  state.octets = words[6];
  state.lost = words[7];
  state.has_publisher_clock = (words[2] & 4) != 0;
  state.publisher_rtp_timestamp = static_cast<uint32_t>(words[2] >> 32);
  state.publisher_ntp = words[8];
  state.publisher_arrival_ns = time_of(words[9]);
  return state;
}

} // namespace sluice::ring
