// The streams that a worker's sessions read: found by id and by ring, woken by doorbells (which tell of segment stores,
// too), served in rounds at the end
// of the loop's turn. Owned by the Server.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "ipc/shm/doorbell_board.h"
#include "workers/base/stream.h"

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace sluice::worker {

class Streams final : loop::Poll::Listener, loop::Timer::Listener {
public:
  static constexpr Nanoseconds kLater = 10 * kMillisecond; // until a round that waits

  struct Listener {
    virtual void on_rounds_due() = 0;                   // and the end of the turn may be far
    virtual void on_store_news(size_t store_index) = 0; // of a segment store

  protected:
    ~Listener() = default;
  };

  // `doorbells`: of all slots; `slot` is the worker's own.
  Streams(loop::Loop &loop, Listener &listener, shm::DoorbellBoard board, std::vector<Fd> doorbells, uint16_t slot);
  ~Streams() override;

  // A stream that a session was granted, which leaves it again. Error: the ring can't be used.
  Result<Stream *> enter(control::StreamId id, int ring_fd);
  void leave(Stream &stream);
  // The next generation of a ring, if anybody here reads the stream.
  void replace_ring(control::StreamId id, int ring_fd, const char *label);

  void schedule_round(control::StreamId id) { due_.insert(id); }
  void schedule_round_later(control::StreamId id); // within kLater
  void scan();                                     // all of them, whatever the doorbells say
  void run_rounds();
  void sweep() { retired_.clear(); } // when nothing of theirs runs

  // Of a ring that this worker writes: `subscribers` has a bit for each slot.
  void wake(uint64_t subscribers, size_t ring_index, control::StreamId id);
  // Of a segment store that this worker writes; of its own bit it hears at once.
  void wake_store(uint64_t subscribers, size_t store_index);

private:
  void on_poll(int fd, int events) override;
  void on_timer(loop::Timer &timer) override;
  void drain_doorbell();

  Listener &listener_;
  shm::DoorbellBoard board_;
  std::vector<Fd> doorbells_;
  std::vector<int> doorbell_fds_;
  uint16_t slot_;
  std::unordered_map<control::StreamId, std::unique_ptr<Stream>> streams_;
  std::unordered_multimap<size_t, control::StreamId> by_ring_;
  std::unordered_set<control::StreamId> due_, later_;
  std::vector<std::unique_ptr<Stream>> retired_;
  loop::Poll doorbell_poll_;
  loop::Timer later_timer_;
};

} // namespace sluice::worker
