#include "workers/rtsp/beginning.h"

#include "common/rtp/sequence.h"
#include "ipc/ring/whole_units.h"
#include "workers/base/sender_state.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace sluice::rtsp {
namespace {

struct FirstPacket {
  uint16_t sequence = 0;
  uint32_t rtp_time = 0;
};
using FirstPackets = std::array<std::optional<FirstPacket>, media::kMaxTracks>;

std::optional<FirstPacket> first_packet(const ring::RingReader &ring, uint64_t sequence) {
  ByteVector buffer(ring::kMaxEntryBytes);
  auto entry = ring.copy(sequence, buffer);
  if (!entry || entry->size() < ring::kFrameHeaderBytes + 8) return std::nullopt;
  const uint8_t *packet = entry->data() + ring::kFrameHeaderBytes; // RFC 3550 section 5.1
  return FirstPacket{load_be16(packet + 2), load_be32(packet + 4)};
}

FirstPackets find_first_packets(const ring::RingReader &ring, uint64_t cursor, uint32_t wanted, size_t tracks) {
  FirstPackets found;
  ring::WholeUnits units(wanted, tracks);
  units.begin_at(ring, cursor);
  uint64_t end = std::min(ring.head(), cursor + ring::WholeUnits::kMaxScan);
  uint32_t missing = wanted;
  uint64_t settled = cursor;
  for (uint64_t sequence = cursor; sequence < end && missing != 0; sequence++) {
    if (!units.all_pass() && sequence == settled) settled = units.settled_until(ring, sequence, end);
    auto entry = ring.entry(sequence);
    if (!entry) break;
    uint32_t bit = uint32_t{1} << entry->track;
    if ((missing & bit) == 0 || (entry->flags & ring::kRtcp) != 0 || !units.passes(*entry)) continue;
    found[entry->track] = first_packet(ring, sequence);
    missing &= ~bit;
  }
  return found;
}

// When the packet with this RTP time would have been sent, by the clock that sender reports go by; `arrival` if that is
// not known, or far off because the times have jumped since.
Nanoseconds instant_of(uint32_t rtp_time, const ring::TrackState &state, uint32_t clock_rate, Nanoseconds arrival) {
  constexpr Nanoseconds kFarOff = 5 * kSecond;
  if (!state.has_clock && !state.has_publisher_clock) return arrival;
  uint32_t known = state.has_publisher_clock ? state.publisher_rtp_timestamp : state.clock_rtp_timestamp;
  Nanoseconds known_at = state.has_publisher_clock ? state.publisher_arrival_ns : state.clock_arrival_ns;
  Nanoseconds instant = known_at + rtp::ticks_to_ns(static_cast<int32_t>(rtp_time - known), clock_rate);
  return std::abs(instant - arrival) <= kFarOff ? instant : arrival;
}

} // namespace

// RFC 2326 section 12.33: a track's rtptime is the time that the Range begins with, which need not be that of its first
// packet. So all name the moment of the random access point: clients subtract it, each track's from each track's.
Beginning beginning_at(const ring::RingReader &ring, uint64_t cursor, uint32_t wanted,
                       const media::StreamDescription &description) {
  Beginning beginning;
  FirstPackets first = find_first_packets(ring, cursor, wanted, description.tracks.size());
  auto start = ring.entry(cursor);
  if (!start) return beginning;
  beginning.instant = start->arrival_ns;
  auto state_of = [&](size_t track) { return ring.track_state(track).value_or(ring::TrackState{}); };
  const auto &reference = first[start->track];
  if (reference && start->track < description.tracks.size())
    beginning.instant = instant_of(reference->rtp_time, state_of(start->track),
                                   description.tracks[start->track].clock_rate, start->arrival_ns);
  for (uint32_t i = 0; i < description.tracks.size(); i++) {
    ring::TrackState state = state_of(i);
    if ((wanted & uint32_t{1} << i) == 0 || (!first[i] && !state.has_traffic)) continue;
    RtpInfo info{.track = i,
                 .next_sequence = static_cast<uint16_t>(state.last_rtp_sequence + 1),
                 .rtp_time = state.last_rtp_timestamp};
    if (first[i]) info = {i, first[i]->sequence, first[i]->rtp_time};
    auto report = rtp::sender_report(worker::from_ring(state), description.tracks[i].clock_rate, beginning.instant, 0);
    if (report && i != start->track) info.rtp_time = report->rtp_time;
    beginning.tracks.push_back(info);
  }
  return beginning;
}

} // namespace sluice::rtsp
