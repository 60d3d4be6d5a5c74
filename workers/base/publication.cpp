#include "workers/base/publication.h"

#include "common/base/log.h"
#include "workers/base/server.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace sluice::worker {

Result<std::unique_ptr<Publication>> Publication::create(Server &server, Listener &listener,
                                                         const control::PublishGranted &granted,
                                                         const std::vector<Fd> &rings) {
  if (rings.empty()) return Error{"a grant without a ring"};
  shm::Mapping mapping = TRY(shm::Mapping::map_ring(rings[0].get(), shm::Access::ReadWrite));
  auto resumed = ring::RingWriter::resume(mapping.writable());
  shm::Mapping former; // of a predecessor that died before it continued in the newest generation
  if (!resumed && rings.size() > 1) {
    former = TRY(shm::Mapping::map_ring(rings[1].get(), shm::Access::ReadWrite));
    ring::RingWriter old = TRY(ring::RingWriter::resume(former.writable()));
    resumed = ring::RingWriter::continue_from(mapping.writable(), old);
  }
  ring::RingWriter writer = TRY(std::move(resumed));
  return std::unique_ptr<Publication>(
      new Publication(server, listener, granted, std::move(mapping), std::move(writer)));
}

Publication::Publication(Server &server, Listener &listener, control::PublishGranted granted, shm::Mapping mapping,
                         ring::RingWriter writer)
    : server_(server), listener_(listener), granted_(std::move(granted)), mapping_(std::move(mapping)),
      writer_(std::move(writer)), hold_timer_(server.event_loop(), *this), growth_timer_(server.event_loop(), *this),
      announcement_timer_(server.event_loop(), *this) {}

// What came before the end, in the same input perhaps, still belongs to the stream.
Publication::~Publication() {
  news_ = news_ || writer_.staged_entries() > 0;
  writer_.commit(input_position_);
  if (ends_ring_) writer_.end();
  wake_readers();
}

// Readers that begin before the break would be late by it for good.
Nanoseconds Publication::resume_time() {
  writer_.forget_random_access();
  auto newest = writer_.newest_media();
  if (!newest) return 0;
  return newest->pts_ns + std::max<Nanoseconds>(0, server_.event_loop().now() - newest->arrival_ns);
}

void Publication::append(ring::EntryMeta meta, Bytes packet, Bytes rest) {
  flush_staged_ = flush_staged_ || (meta.flags & ring::kFlush) != 0;
  last_arrival_ns_ = meta.arrival_ns = std::max(meta.arrival_ns, last_arrival_ns_);
  if (writer_.append(meta, packet, rest)) return;
  writer_.commit(input_position_); // the batch was half a ring
  news_ = true;
  wake_readers();
  if (!writer_.append(meta, packet, rest))
    log(LogLevel::Error, "[{}] packet of {} bytes fits no ring", server_.label(), packet.size() + rest.size());
}

void Publication::commit(uint64_t input_position, Nanoseconds now) {
  input_position_ = input_position;
  bool staged = writer_.staged_entries() > 0;
  writer_.commit(input_position);
  if (!staged) return;
  news_ = true;
  bool flush = std::exchange(flush_staged_, false);
  Nanoseconds delay = flush ? granted_.merge_ns : std::max(granted_.merge_ns, granted_.coalesce_ns);
  if (delay == 0)
    wake_readers();
  else if (!hold_timer_.active())
    hold_timer_.start(delay);
  ask_for_room(now);
}

void Publication::wake_readers() {
  hold_timer_.stop();
  if (!std::exchange(news_, false)) return;
  server_.streams().wake(writer_.subscribers(), writer_.ring_index(), granted_.stream);
}

void Publication::set_description(const media::StreamDescription &description, bool announce) {
  if (auto set = writer_.set_description(description); !set)
    return log(LogLevel::Warn, "[{}] new parameters of a stream can't be announced: {}", server_.label(),
               set.error().message);
  if (!announce) return;
  unannounced_ = description;
  if (!announcement_timer_.active()) announce_description();
}

// A publisher may change it with every message: the control channel is not for that.
void Publication::announce_description() {
  if (!unannounced_) return;
  server_.supervisor().send(
      control::DescriptionChanged{.stream = granted_.stream, .description = *std::exchange(unannounced_, {})});
  announcement_timer_.start(kAnnouncementPause);
}

void Publication::on_timer(loop::Timer &timer) {
  if (&timer == &hold_timer_) {
    wake_readers();
    return server_.end_turn_soon();
  }
  if (&timer == &announcement_timer_) return announce_description();
  if (congested(server_.event_loop().now())) return;
  growth_timer_.stop();
  listener_.on_uncongested();
}

// --- size of the ring ---

void Publication::ask_for_ring(uint64_t wanted_bytes, Nanoseconds now) {
  asked_for_room_ns_ = now;
  server_.supervisor().send(control::RingTooSmall{.stream = granted_.stream, .wanted_bytes = wanted_bytes});
}

bool Publication::asks_for_ring(Nanoseconds now) const {
  return asked_for_room_ns_ != 0 && now - asked_for_room_ns_ < kGrowthPatience;
}

void Publication::ask_for_room(Nanoseconds now) {
  if (now < ask_again_ns_ || asks_for_ring(now)) return;
  asked_for_room_ns_ = 0;
  if (uint64_t wanted = writer_.wanted_bytes(now, granted_.max_ring_bytes); wanted != 0) ask_for_ring(wanted, now);
}

// A batch is at most half of the ring: the other half holds what came before it.
bool Publication::has_room_for(uint64_t bytes, Nanoseconds now) {
  awaited_bytes_ = 0;
  uint64_t half = writer_.data_capacity() / 2;
  bytes += writer_.staged_bytes();
  if (bytes <= half || now < ask_again_ns_) return true;
  uint64_t limit = std::min<uint64_t>(std::bit_floor(granted_.max_ring_bytes), ring::kMaxDataCapacity);
  if (writer_.data_capacity() >= limit) return true;
  if (asked_for_room_ns_ == 0)
    ask_for_ring(std::min<uint64_t>(ring::data_capacity_for(bytes * 2), limit), now);
  else if (!asks_for_ring(now))
    return true; // nobody answers
  awaited_bytes_ = bytes;
  if (!growth_timer_.active()) growth_timer_.start(kGrowthPoll, kGrowthPoll);
  return false;
}

// Readers that fall behind lose what the ring can't hold; the publisher is not slowed down for them.
void Publication::keep_ring() {
  asked_for_room_ns_ = 0;
  ask_again_ns_ = server_.event_loop().now() + kGrowthPause;
}

bool Publication::congested(Nanoseconds now) {
  if (!asks_for_ring(now)) return false;
  bool waits = awaited_bytes_ > writer_.data_capacity() / 2;
  if (!waits && !writer_.would_overwrite_younger_than(now, kYoung, kMaxInputBytes)) return false;
  if (!growth_timer_.active()) growth_timer_.start(kGrowthPoll, kGrowthPoll);
  return true;
}

void Publication::replace_ring(int fd) {
  auto mapping = shm::Mapping::map_ring(fd, shm::Access::ReadWrite);
  if (!mapping)
    return log(LogLevel::Error, "[{}] larger ring can't be used: {}", server_.label(), mapping.error().message);
  writer_.commit(input_position_);
  auto next = ring::RingWriter::continue_from(mapping->writable(), writer_);
  if (!next) return log(LogLevel::Error, "[{}] larger ring can't be used: {}", server_.label(), next.error().message);
  writer_ = std::move(*next);
  mapping_ = std::move(*mapping);
  asked_for_room_ns_ = 0;
  news_ = true;
  wake_readers();
}

void Publication::change_settings(const control::StreamSettings &settings) {
  granted_.coalesce_ns = settings.coalesce_ns;
  granted_.merge_ns = settings.merge_ns;
  if (std::exchange(granted_.absolute_time, settings.absolute_time) != settings.absolute_time)
    listener_.on_absolute_time_changed();
}

} // namespace sluice::worker
