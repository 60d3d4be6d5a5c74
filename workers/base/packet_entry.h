// What a ring is told about a publisher's packet.
#pragma once

#include "common/rtp/packet_facts.h"
#include "ipc/ring/ring_writer.h"

namespace sluice::worker {

// `leads`: the track is one that readers wait for and begin with: video, or any where there is no video.
inline ring::EntryMeta entry_of(const rtp::PacketFacts &facts, uint8_t track, bool leads) {
  uint16_t flags = 0;
  if (facts.marker) flags |= ring::kMarker;
  if (facts.first_of_access_unit) flags |= ring::kFirstOfAccessUnit;
  if (facts.random_access && leads) flags |= ring::kRandomAccess;
  if (facts.ends_access_unit && leads) flags |= ring::kFlush;
  return {
      .track = track, .flags = flags, .pts_ns = facts.pts_ns, .dts_ns = facts.dts_ns, .arrival_ns = facts.arrival_ns};
}

} // namespace sluice::worker
