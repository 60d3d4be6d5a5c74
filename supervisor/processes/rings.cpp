#include "supervisor/processes/rings.h"

#include "ipc/ring/atomic_words.h"
#include "ipc/ring/ring_subscribers.h"
#include "ipc/ring/ring_writer.h"
#include "ipc/shm/memfd.h"

#include <algorithm>
#include <bit>

namespace sluice::processes {

Rings::Rings(const RingLimits &limits) {
  set_limits(limits);
  for (size_t i = 0; i < ring::kMaxRings; i++) free_indices_.push_back(static_cast<uint16_t>(i));
}

void Rings::set_limits(const RingLimits &limits) {
  largest_ = std::clamp(std::bit_floor(limits.largest_bytes), ring::kMinDataCapacity, ring::kMaxDataCapacity);
  initial_ = std::min(ring::data_capacity_for(limits.initial_bytes), largest_);
  budget_bytes_ = limits.budget_bytes;
  max_descriptors_ = limits.max_descriptors;
}

Result<Rings::Replacement> Rings::hand_on(control::StreamId stream, uint16_t writer) {
  auto found = rings_.find(stream);
  if (found == rings_.end()) return Error{"no such stream"};
  Ring &ring = found->second;
  Replacement replacement;
  if (writer != ring.writer && !ring.writer_gone) {
    TRY(add_generation(stream, ring, ring.capacity));
    replacement.readers = ring.subscribers;
  }
  ring.writer = writer;
  ring.writer_gone = false;
  replacement.grant = grant_of(ring);
  if (ring.generations.size() > 1) replacement.grant.former = ring.generations.front().writable.get();
  return replacement;
}

void Rings::writer_gone(uint16_t slot) {
  for (auto &[stream, ring] : rings_) ring.writer_gone = ring.writer_gone || ring.writer == slot;
}

Result<Rings::Grant> Rings::open(control::StreamId stream, uint16_t writer,
                                 const media::StreamDescription &description) {
  if (free_indices_.empty()) return Error{"too many streams"};
  Ring ring;
  ring.writer = writer;
  ring.index = free_indices_.front();
  ring.description = description;
  TRY(add_generation(stream, ring, initial_));
  free_indices_.pop_front();
  return grant_of(rings_.insert_or_assign(stream, std::move(ring)).first->second);
}

Result<void> Rings::add_generation(control::StreamId stream, Ring &ring, size_t capacity) {
  size_t bytes = ring::ring_bytes(capacity);
  if (used_bytes_ + bytes > budget_bytes_) return Error{"the memory budget (maxMemory) is used up"};
  constexpr uint64_t kDescriptors = 2; // of a generation
  if (kDescriptors * (generations_ + 1) > max_descriptors_)
    return Error{"too many streams for the limit of open files"};
  Generation next;
  next.writable = TRY(shm::create_memfd("sluice ring", bytes));
  next.read_only = TRY(shm::reopen_read_only(next.writable.get()));
  next.mapping = TRY(shm::Mapping::map_ring(next.writable.get(), shm::Access::ReadWrite));
  ring::RingParameters parameters;
  parameters.stream = stream;
  parameters.generation = ring.generations.empty() ? 0 : ring.generation + 1;
  parameters.ring_index = ring.index;
  parameters.description = ring.description;
  TRY(ring::RingWriter::format(next.mapping.writable(), parameters));
  for (uint64_t rest = ring.subscribers; rest != 0; rest &= rest - 1)
    ring::subscribe(next.mapping.writable(), static_cast<size_t>(std::countr_zero(rest)));
  ring.generation = parameters.generation;
  ring.capacity = capacity;
  next.bytes = bytes;
  used_bytes_ += bytes;
  ring.generations.push_back(std::move(next));
  generations_++;
  if (ring.generations.size() > 2) drop_oldest(ring);
  return {};
}

void Rings::drop_oldest(Ring &ring) {
  used_bytes_ -= ring.generations.front().bytes;
  ring.generations.pop_front();
  generations_--;
}

Rings::Grant Rings::grant_of(const Ring &ring) {
  const Generation &newest = ring.generations.back();
  return {ring.index, newest.writable.get(), newest.read_only.get(), -1};
}

Result<Rings::Grant> Rings::find(control::StreamId stream) const {
  auto found = rings_.find(stream);
  if (found == rings_.end()) return Error{"no such stream"};
  return grant_of(found->second);
}

std::optional<Rings::Extent> Rings::extent(control::StreamId stream) const {
  auto found = rings_.find(stream);
  if (found == rings_.end() || found->second.generations.empty()) return std::nullopt;
  auto &header = *reinterpret_cast<const ring::RingHeader *>(found->second.generations.back().mapping.bytes().data());
  return Extent{found->second.capacity, ring::load(header.oldest), ring::load(header.head)};
}

void Rings::subscribe(control::StreamId stream, uint16_t slot) {
  auto found = rings_.find(stream);
  if (found == rings_.end()) return;
  if (found->second.subscriptions[slot]++ > 0) return;
  found->second.subscribers |= uint64_t{1} << slot;
  for (Generation &generation : found->second.generations) ring::subscribe(generation.mapping.writable(), slot);
}

void Rings::unsubscribe(control::StreamId stream, uint16_t slot) {
  auto found = rings_.find(stream);
  if (found == rings_.end()) return;
  auto count = found->second.subscriptions.find(slot);
  if (count == found->second.subscriptions.end() || --count->second > 0) return;
  found->second.subscriptions.erase(count);
  found->second.subscribers &= ~(uint64_t{1} << slot);
  for (Generation &generation : found->second.generations) ring::unsubscribe(generation.mapping.writable(), slot);
}

void Rings::close(control::StreamId stream) {
  auto found = rings_.find(stream);
  if (found == rings_.end()) return;
  while (!found->second.generations.empty()) drop_oldest(found->second);
  free_indices_.push_back(found->second.index);
  rings_.erase(found);
}

Result<std::optional<Rings::Replacement>> Rings::grow(control::StreamId stream, uint16_t writer,
                                                      uint64_t wanted_bytes) {
  auto found = rings_.find(stream);
  if (found == rings_.end() || found->second.writer != writer) return std::optional<Replacement>();
  Ring &ring = found->second;
  size_t capacity = std::min(ring::data_capacity_for(wanted_bytes), largest_);
  if (capacity <= ring.capacity) return std::optional<Replacement>();
  TRY(add_generation(stream, ring, capacity));
  return std::optional(Replacement{grant_of(ring), ring.subscribers});
}

} // namespace sluice::processes
