#include "workers/base/entry_reader.h"

#include "workers/base/streams.h"

#include <algorithm>

namespace sluice::worker {

EntryReader::EntryReader(Streams &streams, Listener &listener)
    : streams_(streams), listener_(listener), entry_(ring::kMaxEntryBytes) {}

void EntryReader::start(const Start &start) {
  generation_ = start.generation;
  cursor_ = start.cursor;
  description_version_ = generation_->reader().description_version();
}

void EntryReader::read(Stream &stream) {
  while (read_some(stream)) {
  }
}

// False: that was all for now.
bool EntryReader::read_some(Stream &stream) {
  if (listener_.is_finished()) return false;
  const ring::RingReader &ring = generation_->reader();
  uint64_t head = generation_->round_head();
  uint64_t limit = std::min(head, cursor_ + kMaxEntriesARound);
  for (; cursor_ < limit; cursor_++) {
    auto entry = ring.entry(cursor_);
    if (!entry) {
      resynchronise();
      return true;
    }
    if ((entry->flags & ring::kRtcp) != 0 || !listener_.wants(entry->track)) continue;
    auto copied = ring.copy(cursor_, entry_);
    if (!copied || copied->size() < ring::kFrameHeaderBytes) {
      resynchronise();
      return true;
    }
    listener_.on_packet(*entry, copied->subspan(ring::kFrameHeaderBytes));
    if (listener_.is_finished()) return false;
  }
  if (cursor_ < head) {
    streams_.schedule_round_later(stream.id()); // a round that is due now would be part of this turn
    return false;
  }
  return ring.state() == ring::RingState::Superseded && go_on(stream);
}

bool EntryReader::go_on(Stream &stream) {
  Generation *next = stream.after(*generation_);
  if (next == nullptr || next->reader().state() == ring::RingState::Waiting) return false;
  if (cursor_ < generation_->reader().head()) return true; // not read yet
  generation_ = next;
  generation_->forget_round();
  listener_.on_next_generation(next->reader());
  return true;
}

void EntryReader::resynchronise() {
  ring::Resync target = generation_->reader().resync(cursor_);
  if (target.cursor == cursor_) target.cursor = cursor_ + 1; // what stands there is not valid
  cursor_ = target.cursor;
  listener_.on_gap(target.lost_entries);
}

std::optional<media::StreamDescription> EntryReader::changed_description() {
  uint64_t version = generation_->reader().description_version();
  if (version == description_version_) return std::nullopt;
  auto description = generation_->reader().description();
  if (!description) return std::nullopt; // it is being written
  description_version_ = version;
  return std::move(*description);
}

} // namespace sluice::worker
