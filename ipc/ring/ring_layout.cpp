#include "ipc/ring/ring_layout.h"

namespace sluice::ring {

std::array<uint64_t, 8> pack(const TrackState &state) {
  return {uint64_t{state.ssrc} | uint64_t{state.first_rtp_sequence} << 32 | uint64_t{state.last_rtp_sequence} << 48,
          uint64_t{state.last_rtp_timestamp} | uint64_t{state.clock_rtp_timestamp} << 32,
          uint64_t{state.has_traffic} | uint64_t{state.has_clock} << 1,
          static_cast<uint64_t>(state.clock_arrival_ns),
          static_cast<uint64_t>(state.clock_wall_ns),
          state.packets,
          state.octets,
          state.lost};
}

TrackState unpack_track_state(const std::array<uint64_t, 8> &words) {
  TrackState state;
  state.ssrc = static_cast<uint32_t>(words[0]);
  state.first_rtp_sequence = static_cast<uint16_t>(words[0] >> 32);
  state.last_rtp_sequence = static_cast<uint16_t>(words[0] >> 48);
  state.last_rtp_timestamp = static_cast<uint32_t>(words[1]);
  state.clock_rtp_timestamp = static_cast<uint32_t>(words[1] >> 32);
  state.has_traffic = (words[2] & 1) != 0;
  state.has_clock = (words[2] & 2) != 0;
  state.clock_arrival_ns = static_cast<Nanoseconds>(words[3]);
  state.clock_wall_ns = static_cast<Nanoseconds>(words[4]);
  state.packets = words[5];
  state.octets = words[6];
  state.lost = words[7];
  return state;
}

} // namespace sluice::ring
