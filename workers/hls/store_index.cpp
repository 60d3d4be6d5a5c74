#include "workers/hls/store_index.h"

#include "common/base/codec.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::hls {

inline bool is_valid(Variant variant) {
  return variant <= Variant::LowLatency;
}

template <class A> void visit(A &a, Place &p) {
  a(p.position), a(p.bytes);
}
template <class A> void visit(A &a, StoredPart &p) {
  a(p.number), a(p.part.duration), a(p.part.bytes), a(p.part.independent), a(p.position);
}
template <class A> void visit(A &a, StoredSegment &s) {
  Segment &g = s.segment;
  a(g.number), a(g.first_part), a(g.duration), a(g.start_wall), a(g.bytes), a(g.initialisation), a(g.discontinuity);
  a(g.finished), a(s.position);
}
template <class A> void visit(A &a, StoredSection &s) {
  a(s.number), a(s.place);
}
template <class A> void visit(A &a, StoreIndex &i) {
  a(i.variant), a(i.codecs), a(i.has_video), a(i.width), a(i.height), a(i.frame_rate_millihertz), a(i.part_target);
  a(i.target_duration), a(i.discontinuity_sequence), a(i.first_listed), a(i.ended), a(i.segments), a(i.parts);
  a(i.sections), a(i.wall_offset), a(i.resume);
}

namespace {

// Numbered in a row.
template <class Item, class Number>
const Item *find(const std::vector<Item> &items, uint64_t number, Number number_of) {
  if (items.empty() || number < number_of(items.front())) return nullptr;
  uint64_t offset = number - number_of(items.front());
  if (offset >= items.size() || number_of(items[offset]) != number) return nullptr;
  return &items[offset];
}

bool is_time(Nanoseconds time) {
  constexpr Nanoseconds kLimit = Nanoseconds{1} << 61;
  return time >= 0 && time < kLimit;
}

// What arithmetic rests on: times that can be added, numbers in a row, only the last segment unfinished.
bool makes_sense(const StoreIndex &index) {
  if (!is_time(index.part_target) || !is_time(index.target_duration)) return false;
  for (size_t i = 0; i < index.segments.size(); i++) {
    const Segment &segment = index.segments[i].segment;
    if (!is_time(segment.duration) || !is_time(segment.start_wall)) return false;
    if (segment.number != index.segments[0].segment.number + i) return false;
    if (!segment.finished && i + 1 != index.segments.size()) return false;
  }
  for (size_t i = 0; i < index.parts.size(); i++)
    if (!is_time(index.parts[i].part.duration) || index.parts[i].number != index.parts[0].number + i) return false;
  return true;
}

} // namespace

const StoredSegment *StoreIndex::find_segment(uint64_t number) const {
  return find(segments, number, [](const StoredSegment &stored) { return stored.segment.number; });
}
const StoredPart *StoreIndex::find_part(uint64_t number) const {
  return find(parts, number, [](const StoredPart &stored) { return stored.number; });
}
const StoredSection *StoreIndex::find_section(uint64_t number) const {
  auto found = std::find_if(sections.begin(), sections.end(),
                            [number](const StoredSection &section) { return section.number == number; });
  return found == sections.end() ? nullptr : &*found;
}

Presentation StoreIndex::presentation(uint64_t id) const {
  Presentation p;
  p.id = id_text(id);
  p.variant = variant;
  p.codecs = codecs;
  p.has_video = has_video;
  p.width = width;
  p.height = height;
  p.frame_rate = static_cast<double>(frame_rate_millihertz) / 1000;
  p.part_target = part_target;
  p.target_duration = target_duration;
  p.discontinuity_sequence = discontinuity_sequence;
  p.ended = ended;
  for (size_t i = 0; i < segments.size(); i++) {
    const Segment &segment = segments[i].segment;
    bool told = segment.number >= first_listed && (segment.finished || variant == Variant::LowLatency);
    if (!told) continue;
    Segment &listed = p.segments.emplace_back(segment);
    if (variant != Variant::LowLatency) continue;
    bool last = i + 1 == segments.size();
    for (uint64_t number = segment.first_part;; number++) {
      const StoredPart *part = find_part(number);
      if (part == nullptr || (!last && number >= segments[i + 1].segment.first_part)) break;
      listed.parts.push_back(part->part);
    }
  }
  return p;
}

ByteVector encode(const StoreIndex &index) {
  Encoder encoder;
  encoder(index);
  return encoder.take();
}

Result<StoreIndex> decode_index(Bytes bytes) {
  Decoder decoder(bytes);
  StoreIndex index;
  decoder(index);
  if (!decoder.complete() || !makes_sense(index)) return Error{"the index of a segment store is damaged"};
  return index;
}

std::string id_text(uint64_t id) {
  return fmt::format("{:012x}", id & ((uint64_t{1} << 48) - 1));
}

} // namespace sluice::hls
