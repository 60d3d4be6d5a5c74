#include "workers/base/stream.h"

#include "common/base/check.h"
#include "workers/base/stream_reader.h"

#include <algorithm>

namespace sluice::worker {

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

const ring::Span &Generation::span_before(uint64_t limit, uint64_t cursor) {
  return limited_span_ = reader_.span(cursor, Stream::kMaxSpanBytes, std::min(limit, round_head()));
}

void Generation::forget_round() {
  head_valid_ = span_valid_ = false;
  if (work_) work_->forget();
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

} // namespace sluice::worker
