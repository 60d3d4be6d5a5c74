#include "ipc/ring/whole_units.h"

#include <algorithm>

namespace sluice::ring {
namespace {

constexpr uint64_t kMaxLook = 1024; // entries, of settled_until()
constexpr const char *kTorn = "overtaken by the stream in the midst of an access unit";

} // namespace

WholeUnits::WholeUnits(uint32_t wanted, size_t tracks)
    : wanted_(wanted), all_wanted_(wanted == (uint32_t{1} << tracks) - 1) {}

// A track that never brought anything begins with a unit.
void WholeUnits::be_late(const RingReader &ring, std::optional<uint64_t> random_access, uint32_t except) {
  late_ = wanted_ & ~except;
  for (uint8_t track = 0; track < media::kMaxTracks; track++) {
    if ((late_ & bit(track)) == 0) continue;
    std::optional<TrackState> state = ring.track_state(track);
    if (state && !state->has_traffic) late_ &= ~bit(track);
  }
  std::optional<EntryInfo> first;
  if (random_access) first = ring.entry(*random_access);
  if (first) late_ &= ~bit(first->track);
}

void WholeUnits::begin_at(const RingReader &ring, uint64_t cursor) {
  be_late(ring, cursor, 0);
}

uint64_t WholeUnits::settled_until(const RingReader &ring, uint64_t cursor, uint64_t end) {
  uint64_t limit = std::min(end, cursor + kMaxLook);
  for (uint64_t sequence = cursor; sequence < limit; sequence++) {
    std::optional<EntryInfo> entry = ring.entry(sequence);
    if (!entry) return std::max(sequence, cursor + 1); // the span says that it is gone
    bool begins = (entry->flags & kRtcp) == 0 && (entry->flags & kFirstOfAccessUnit) != 0;
    if (!begins || (late_ & bit(entry->track)) == 0) continue;
    if (sequence > cursor) return sequence;
    late_ &= ~bit(entry->track);
    if (late_ == 0) return end;
  }
  return limit;
}

std::optional<uint64_t> WholeUnits::target(const RingReader &ring, uint64_t cursor) const {
  std::optional<uint64_t> newest = ring.newest_random_access();
  if (!newest || *newest < cursor || (*newest == cursor && !waits_)) return std::nullopt;
  return newest;
}

Result<WholeUnits::Skip> WholeUnits::skip(const RingReader &ring, uint64_t cursor,
                                          const std::array<uint8_t, media::kMaxTracks> &channels, size_t room) {
  std::optional<uint64_t> random_access = target(ring, cursor);
  Skip skip;
  skip.target = random_access ? *random_access : std::max(ring.head(), cursor);
  begun_ = TRY(copy_rest(ring, cursor, channels, room, skip));
  be_late(ring, random_access, begun_);
  waits_ = !random_access && ring.has_random_access();
  recovers_ = true;
  skip.new_gap = skip.left_out > 0 && !in_gap_;
  in_gap_ = in_gap_ || skip.left_out > 0;
  return skip;
}

// Returns the tracks of which nothing is left out up to the target, so that their units go on there.
Result<uint32_t> WholeUnits::copy_rest(const RingReader &ring, uint64_t cursor,
                                       const std::array<uint8_t, media::kMaxTracks> &channels, size_t room,
                                       Skip &skip) const {
  uint64_t end = std::min(skip.target, cursor + kMaxScan), unwanted = 0;
  uint32_t open = begun_, copied = 0;
  for (uint64_t sequence = cursor; sequence < end && (open != 0 || !all_wanted_); sequence++) {
    std::optional<EntryInfo> entry = ring.entry(sequence);
    if (!entry && open != 0) return Error{kTorn};
    if (!entry) break; // all that is gone counts
    if (!wants(*entry)) unwanted++;
    if ((entry->flags & kRtcp) != 0 || (open & bit(entry->track)) == 0) continue;
    if ((entry->flags & kFirstOfAccessUnit) != 0) {
      open &= ~bit(entry->track);
      continue;
    }
    size_t at = skip.rest.size();
    if (entry->length > room - at) return Error{"too slow: the rest of an access unit does not fit the output buffer"};
    skip.rest.resize(at + entry->length);
    if (!ring.copy(sequence, MutableBytes(skip.rest).subspan(at))) return Error{kTorn};
    skip.rest[at + 1] = channels[entry->track];
    skip.rest_entries++;
    copied |= bit(entry->track);
  }
  bool to_the_end = end == skip.target;
  if (!to_the_end && (open & copied) != 0) return Error{"too slow: the rest of an access unit has too many packets"};
  skip.left_out = skip.target - cursor - skip.rest_entries - unwanted;
  return to_the_end ? open : 0;
}

} // namespace sluice::ring
