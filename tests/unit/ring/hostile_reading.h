// Everything that can be asked of a RingReader, over memory that may hold anything. What it returns is read
// here and there and at both ends, so that a sanitizer sees where it lies. Also the body of the fuzz target.
#pragma once

#include "common/base/check.h"
#include "ipc/ring/whole_units.h"

namespace sluice::ring {

inline uint64_t sum_of(Bytes bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 255) sum += bytes[i];
  return bytes.empty() ? sum : sum + bytes.back();
}

inline void read_span(const RingReader &reader, Bytes memory, uint64_t cursor, size_t limit, uint64_t end) {
  Span span = reader.span(cursor, limit, end);
  if (span.state != Span::State::Data) return;
  CHECK(span.first == cursor && span.end > span.first && span.bytes.size() <= reader.data_capacity());
  CHECK(span.bytes.data() >= memory.data() && span.bytes.data() + span.bytes.size() <= memory.data() + memory.size());
  CHECK(span.end_position - span.begin_position == span.bytes.size());
  sum_of(span.bytes);
}

inline void read_everything(Bytes memory) {
  Result<RingReader> created = RingReader::create(memory);
  if (!created) return;
  const RingReader &reader = *created;
  uint64_t head = reader.head(), oldest = reader.oldest();
  static ByteVector buffer(kMaxEntryBytes);
  for (uint64_t base : {head, oldest, reader.flush(), uint64_t{0}, UINT64_MAX / 2}) {
    for (uint64_t cursor : {base - 300, base - 2, base - 1, base, base + 1}) {
      read_span(reader, memory, cursor, SIZE_MAX, kNoSequence);
      read_span(reader, memory, cursor, 5000, head + 3);
      if (std::optional<EntryInfo> info = reader.entry(cursor)) {
        CHECK(info->length <= kMaxEntryBytes && info->track < media::kMaxTracks);
        reader.copy_at(info->position, MutableBytes(buffer).first(info->length));
        reader.safe(info->position);
        reader.intact(info->position);
      }
      if (std::optional<MutableBytes> bytes = reader.copy(cursor, buffer)) sum_of(*bytes);
      reader.copy_at(cursor, MutableBytes(buffer).first(cursor % kMaxEntryBytes));
      reader.resync(cursor);
      CHECK(cursor > head || reader.first_after(kSecond, cursor, head) <= head);
      WholeUnits units(3, 2);
      units.note_sent();
      auto skip = units.skip(reader, cursor, {}, 100'000);
      CHECK(!skip || (skip->target >= cursor && skip->rest.size() <= 100'000));
      if (skip) units.settled_until(reader, skip->target, head);
    }
  }
  reader.state();
  reader.newest_random_access();
  for (size_t track = 0; track <= media::kMaxTracks; track++) reader.track_state(track);
  if (std::optional<media::StreamDescription> description = reader.description()) CHECK(media::is_valid(*description));
}

} // namespace sluice::ring
