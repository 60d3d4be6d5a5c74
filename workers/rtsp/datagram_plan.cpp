#include "workers/rtsp/datagram_plan.h"

#include <algorithm>
#include <bit>

namespace sluice::rtsp {
namespace {

constexpr size_t kMaxSegments = 44;           // of one UDP_SEGMENT send; the kernel takes 64
constexpr size_t kMaxSegmentedBytes = 64'000; // one IP datagram before it is cut

} // namespace

Bytes packet_in(const ring::Span &span, const ring::EntryInfo &entry) {
  uint64_t offset = entry.position + ring::kFrameHeaderBytes - span.begin_position;
  size_t length = entry.length - ring::kFrameHeaderBytes;
  if (offset > span.bytes.size() || length > span.bytes.size() - offset) return {};
  return span.bytes.subspan(offset, length);
}

const DatagramPlan &DatagramPlans::from(Generation &generation, uint64_t cursor) {
  if (whole_valid_ && whole_.first == cursor) return whole_;
  plan(generation.reader(), generation.span(cursor), whole_);
  whole_.first = cursor;
  whole_valid_ = true;
  return whole_;
}

const DatagramPlan &DatagramPlans::before(Generation &generation, uint64_t limit, uint64_t cursor) {
  if (limited_valid_ && limited_.first == cursor && planned_limit_ == limit) return limited_;
  plan(generation.reader(), generation.span_before(limit, cursor), limited_);
  limited_.first = cursor;
  planned_limit_ = limit;
  limited_valid_ = true;
  return limited_;
}

// Packets of a track are grouped whatever lies between them: each track goes to a socket of its own.
void DatagramPlans::plan(const ring::RingReader &reader, const ring::Span &span, DatagramPlan &plan) {
  plan.batches.clear();
  plan.parts.clear();
  plan.oversized = 0;
  plan.end = span.first;
  plan.begin_position = span.begin_position;
  if (span.state != ring::Span::State::Data) return;
  uint64_t limit = std::min<uint64_t>(span.end, span.first + DatagramPlan::kMaxEntries);
  planned_.clear();
  uint32_t keys = 0; // bit 2 * track + rtcp
  for (uint64_t sequence = span.first; sequence < limit; sequence++) {
    auto entry = reader.entry(sequence);
    if (!entry) break; // overwritten meanwhile; the next span says so
    plan.end = sequence + 1;
    size_t length = entry->length - ring::kFrameHeaderBytes;
    if (length > DatagramPlan::kMaxPacketBytes) {
      plan.oversized++;
      continue;
    }
    Bytes packet = packet_in(span, *entry);
    if (packet.empty()) break;
    uint8_t key = static_cast<uint8_t>(2 * entry->track + ((entry->flags & ring::kRtcp) != 0));
    planned_.push_back({packet, key});
    keys |= 1u << key;
  }
  for (; keys != 0; keys &= keys - 1) plan_track(static_cast<uint8_t>(std::countr_zero(keys)), plan);
}

void DatagramPlans::plan_track(uint8_t key, DatagramPlan &plan) {
  DatagramBatch *last = nullptr;
  for (const Planned &planned : planned_) {
    if (planned.key != key) continue;
    uint32_t length = static_cast<uint32_t>(planned.packet.size());
    bool joins = last != nullptr && length <= last->segment && last->bytes == last->parts * last->segment &&
                 last->parts < kMaxSegments && last->bytes + length <= kMaxSegmentedBytes;
    if (!joins)
      last = &plan.batches.emplace_back(DatagramBatch{static_cast<uint8_t>(key / 2), key % 2 == 1,
                                                      static_cast<uint16_t>(length),
                                                      static_cast<uint32_t>(plan.parts.size()), 0, 0});
    plan.parts.push_back({const_cast<uint8_t *>(planned.packet.data()), planned.packet.size()});
    last->parts++;
    last->bytes += length;
  }
}

} // namespace sluice::rtsp
