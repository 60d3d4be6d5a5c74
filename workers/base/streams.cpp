#include "workers/base/streams.h"

#include "common/base/check.h"
#include "common/base/log.h"

#include <algorithm>

namespace sluice::worker {

Streams::Streams(loop::Loop &loop, Listener &listener, shm::DoorbellBoard board, std::vector<Fd> doorbells,
                 uint16_t slot)
    : listener_(listener), board_(std::move(board)), doorbells_(std::move(doorbells)), slot_(slot),
      doorbell_poll_(loop, doorbells_[slot].get(), *this), later_timer_(loop, *this) {
  for (const Fd &fd : doorbells_) doorbell_fds_.push_back(fd.get());
  doorbell_poll_.watch(loop::Poll::kReadable);
}

Streams::~Streams() = default;

Result<Stream *> Streams::enter(control::StreamId id, int ring_fd) {
  auto found = streams_.find(id);
  if (found == streams_.end()) {
    std::unique_ptr<Stream> stream = TRY(Stream::create(id, ring_fd));
    by_ring_.emplace(stream->ring_index(), id);
    found = streams_.emplace(id, std::move(stream)).first;
  } else {
    TRY(found->second->replace(ring_fd));
  }
  found->second->sessions++;
  return found->second.get();
}

void Streams::leave(Stream &stream) {
  CHECK(stream.sessions > 0);
  stream.sessions--;
  if (!stream.idle()) return;
  auto [begin, end] = by_ring_.equal_range(stream.ring_index());
  auto indexed = std::find_if(begin, end, [&](const auto &entry) { return entry.second == stream.id(); });
  if (indexed != end) by_ring_.erase(indexed);
  auto found = streams_.find(stream.id());
  retired_.push_back(std::move(found->second)); // it may be in the middle of a round
  streams_.erase(found);
}

void Streams::replace_ring(control::StreamId id, int ring_fd, const char *label) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  if (auto replaced = found->second->replace(ring_fd); !replaced)
    log(LogLevel::Error, "[{}] new ring of a stream can't be used: {}", label, replaced.error().message);
  schedule_round(id);
}

void Streams::schedule_round_later(control::StreamId id) {
  later_.insert(id);
  if (!later_timer_.active()) later_timer_.start(kLater);
}

void Streams::wake(uint64_t subscribers, size_t ring_index, control::StreamId id) {
  uint64_t own = uint64_t{1} << slot_;
  if ((subscribers & own) != 0) schedule_round(id); // served at the end of this turn, without a system call
  if ((subscribers & ~own) != 0) board_.ring(subscribers & ~own, ring_index, doorbell_fds_);
}

void Streams::wake_store(uint64_t subscribers, size_t store_index) {
  uint64_t own = uint64_t{1} << slot_;
  if ((subscribers & ~own) != 0) board_.ring(subscribers & ~own, shm::bell_index_of_store(store_index), doorbell_fds_);
  if ((subscribers & own) != 0) listener_.on_store_news(store_index);
}

void Streams::on_poll(int, int) {
  drain_doorbell();
}

void Streams::drain_doorbell() {
  shm::DirtyRings dirty = board_.drain(slot_, doorbell_fds_[slot_]);
  dirty.for_each([&](size_t ring_index) {
    if (ring_index >= ring::kMaxRings) return listener_.on_store_news(ring_index - ring::kMaxRings);
    auto [begin, end] = by_ring_.equal_range(ring_index);
    for (auto stream = begin; stream != end; ++stream) due_.insert(stream->second);
  });
}

void Streams::scan() {
  drain_doorbell();
  for (auto &[id, stream] : streams_) due_.insert(id);
}

void Streams::run_rounds() {
  // A round may end sessions, whose streams then go; so no iterator is held over it.
  while (!due_.empty()) {
    control::StreamId id = *due_.begin();
    due_.erase(due_.begin());
    auto found = streams_.find(id);
    if (found != streams_.end()) found->second->round();
  }
}

void Streams::on_timer(loop::Timer &) {
  due_.merge(later_);
  later_.clear();
  listener_.on_rounds_due();
}

} // namespace sluice::worker
