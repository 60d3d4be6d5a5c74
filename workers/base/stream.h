// The reading side of one stream in this worker: its ring's generations and the readers that follow it. A round
// gives each reader everything since its cursor; what is common to all readers (the span, and what a protocol adds)
// is worked out once a round. Owned by Streams; readers register for as long as they play.
#pragma once

#include "ipc/control/messages.h"
#include "ipc/ring/ring_reader.h"
#include "ipc/shm/mapping.h"
#include "workers/base/stream_reader.h"

#include <memory>
#include <vector>

namespace sluice::worker {

// What a protocol works out once a round for all readers of a generation, and keeps beside it.
class RoundWork {
public:
  virtual ~RoundWork() = default;
  virtual void forget() = 0; // another round begins
};

class Generation {
public:
  static Result<std::unique_ptr<Generation>> map(int fd);

  const ring::RingReader &reader() const { return reader_; }
  const ring::Span &span(uint64_t cursor); // cached for readers at the same cursor
  // The same up to `limit`, for readers that may not have everything yet.
  const ring::Span &span_before(uint64_t limit, uint64_t cursor);
  uint64_t round_head();
  // The cursor has everything that was there when the round began.
  bool reached(uint64_t cursor) const { return head_valid_ && cursor == head_; }
  void forget_round();

  // That of the protocol, made when it is first asked for. All ask with the same T.
  template <class T> T &work() {
    if (!work_) work_ = std::make_unique<T>();
    return static_cast<T &>(*work_);
  }

private:
  Generation(shm::Mapping mapping, const ring::RingReader &reader) : mapping_(std::move(mapping)), reader_(reader) {}

  shm::Mapping mapping_;
  ring::RingReader reader_;
  ring::Span span_, limited_span_;
  std::unique_ptr<RoundWork> work_;
  uint64_t head_ = 0;
  bool head_valid_ = false, span_valid_ = false;
};

class Stream {
public:
  static constexpr size_t kMaxSpanBytes = 4 << 20;

  static Result<std::unique_ptr<Stream>> create(control::StreamId id, int ring_fd);
  ~Stream();

  control::StreamId id() const { return id_; }
  size_t ring_index() const { return newest().reader().ring_index(); }

  // The next generation; readers move there once they have finished theirs.
  Result<void> replace(int ring_fd);

  // With the newest random access point that there is, else with what comes next.
  Start start(bool from_random_access);
  void add(StreamReader &reader, const Start &start);
  void remove(StreamReader &reader);
  bool idle() const { return readers_.empty() && sessions == 0; }
  void round();

  // The generation that holds or will hold `cursor` after `current` is finished; null while it is not known yet.
  Generation *after(const Generation &current);
  Generation &newest() const { return *generations_.back(); }

  size_t sessions = 0; // that were granted this stream, playing or not

private:
  explicit Stream(control::StreamId id) : id_(id) {}
  void drop_finished_generations();

  control::StreamId id_;
  std::vector<std::unique_ptr<Generation>> generations_; // oldest first
  std::vector<StreamReader *> readers_;
};

} // namespace sluice::worker
