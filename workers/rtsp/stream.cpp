#include "workers/rtsp/stream.h"

#include "common/base/check.h"
#include "workers/rtsp/stream_reader.h"

#include <algorithm>

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

Result<std::unique_ptr<Generation>> Generation::map(int fd) {
  shm::Mapping mapping = TRY(shm::Mapping::map_ring(fd, shm::Access::ReadOnly));
  ring::RingReader reader = TRY(ring::RingReader::create(mapping.bytes()));
  return std::unique_ptr<Generation>(new Generation(std::move(mapping), reader));
}

uint64_t Generation::round_head() {
  if (!head_valid_) {
    head_ = reader_.head();
    head_valid_ = true;
  }
  return head_;
}

const ring::Span &Generation::span(uint64_t cursor) {
  round_head();
  if (!span_valid_ || span_.state != ring::Span::State::Data || span_.first != cursor) {
    span_ = reader_.span(cursor, Stream::kMaxSpanBytes, head_);
    span_valid_ = true;
  }
  return span_;
}

const DatagramPlan &Generation::datagrams(uint64_t cursor) {
  if (plan_valid_ && plan_.first == cursor) return plan_;
  plan(span(cursor), plan_);
  plan_.first = cursor;
  plan_valid_ = true;
  return plan_;
}

const ring::Span &Generation::span_before(uint64_t limit, uint64_t cursor) {
  return limited_span_ = reader_.span(cursor, Stream::kMaxSpanBytes, std::min(limit, round_head()));
}

const DatagramPlan &Generation::datagrams_before(uint64_t limit, uint64_t cursor) {
  if (limited_plan_valid_ && limited_plan_.first == cursor && planned_limit_ == limit) return limited_plan_;
  plan(span_before(limit, cursor), limited_plan_);
  limited_plan_.first = cursor;
  planned_limit_ = limit;
  limited_plan_valid_ = true;
  return limited_plan_;
}

// Packets of a track are grouped whatever lies between them: each track goes to a socket of its own.
void Generation::plan(const ring::Span &span, DatagramPlan &plan) {
  plan.batches.clear();
  plan.parts.clear();
  plan.oversized = 0;
  plan.end = span.first;
  plan.begin_position = span.begin_position;
  if (span.state != ring::Span::State::Data) return;
  uint64_t limit = std::min<uint64_t>(span.end, span.first + Stream::kMaxPlannedEntries);
  planned_.clear();
  uint32_t keys = 0; // bit 2 * track + rtcp
  for (uint64_t sequence = span.first; sequence < limit; sequence++) {
    auto entry = reader_.entry(sequence);
    if (!entry) break; // overwritten meanwhile; the next span says so
    plan.end = sequence + 1;
    size_t length = entry->length - ring::kFrameHeaderBytes;
    if (length > Stream::kMaxPacketBytes) {
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

void Generation::plan_track(uint8_t key, DatagramPlan &plan) {
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

Result<std::unique_ptr<Stream>> Stream::create(control::StreamId id, int ring_fd) {
  std::unique_ptr<Stream> stream(new Stream(id));
  TRY(stream->replace(ring_fd));
  return stream;
}

Stream::~Stream() {
  CHECK(readers_.empty());
}

Result<void> Stream::replace(int ring_fd) {
  std::unique_ptr<Generation> next = TRY(Generation::map(ring_fd));
  if (next->reader().stream() != id_) return Error{"a ring of another stream"};
  if (!generations_.empty() && next->reader().generation() <= newest().reader().generation()) return {};
  generations_.push_back(std::move(next));
  drop_finished_generations();
  return {};
}

Start Stream::start(bool from_random_access) {
  // A generation that its writer has not continued into yet starts where the one before ends. One that has been
  // continued into lacks the newest random access point if that did not fit: then the one before has it.
  Start live;
  for (size_t i = generations_.size(); i-- > 0;) {
    Generation *generation = generations_[i].get();
    if (i > 0 && generation->reader().state() == ring::RingState::Waiting) continue;
    if (live.generation == nullptr) live = {generation, generation->reader().live_start(), false};
    if (!from_random_access) break;
    auto newest = generation->reader().newest_random_access();
    if (newest) return {generation, *newest, true};
  }
  return live;
}

void Stream::add(StreamReader &reader, const Start &start) {
  reader.start(start);
  readers_.push_back(&reader);
}

void Stream::remove(StreamReader &reader) {
  auto position = std::find(readers_.begin(), readers_.end(), &reader);
  if (position == readers_.end()) return;
  *position = readers_.back();
  readers_.pop_back();
  drop_finished_generations();
}

void Stream::round() {
  for (auto &generation : generations_) generation->forget_round();
  for (size_t i = 0; i < readers_.size();) {
    StreamReader *reader = readers_[i];
    reader->blocked() ? reader->watch() : reader->serve();
    if (i < readers_.size() && readers_[i] == reader) i++; // else it ended, and another took its place
  }
  if (generations_.size() > 1) drop_finished_generations();
}

Generation *Stream::after(const Generation &current) {
  for (auto &generation : generations_)
    if (generation->reader().generation() > current.reader().generation()) return generation.get();
  return nullptr;
}

void Stream::drop_finished_generations() {
  while (generations_.size() > 1) {
    const Generation *oldest = generations_.front().get();
    bool superseded = oldest->reader().state() == ring::RingState::Superseded;
    bool used = std::any_of(readers_.begin(), readers_.end(),
                            [&](const StreamReader *reader) { return reader->generation() == oldest; });
    if (used || !superseded) return;
    generations_.erase(generations_.begin());
  }
}

} // namespace sluice::rtsp
