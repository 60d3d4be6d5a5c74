// The rings of all streams: makes them, keeps their descriptors, replaces them by bigger generations, and keeps
// what they may take together within the memory budget. Owned by the supervisor, which never reads media; of a
// ring it touches only the subscriber mask, and believes nothing that a worker could have written there.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "ipc/control/messages.h"
#include "ipc/shm/mapping.h"

#include <deque>
#include <map>
#include <optional>

namespace sluice::processes {

struct RingLimits {
  size_t initial_bytes = 0;              // of data, of a new ring; rounded up to a capacity that there is
  size_t largest_bytes = 0;              // of data, of any ring; rounded down to one
  uint64_t budget_bytes = 0;             // of all rings together
  uint64_t max_descriptors = UINT64_MAX; // that all rings together may take
};

class Rings {
public:
  explicit Rings(const RingLimits &limits);

  // A stream's newest generation, for messages to workers. The descriptors stay ours.
  struct Grant {
    uint16_t ring_index = 0;
    int writable = -1, read_only = -1;
    int former = -1; // of hand_on(): the generation before it, writable, if there is one
  };

  // Error: no room in the budget, no ring index free, no descriptors.
  Result<Grant> open(control::StreamId stream, uint16_t writer, const media::StreamDescription &description);
  struct Replacement {
    Grant grant;
    uint64_t readers = 0; // slots, a bit each, to be told; the writer's may be among them
  };
  // To another writer, or the same anew. If the former one lives in another slot it may still write: then the stream
  // goes on in the next generation. Error: no such stream, no room in the budget.
  Result<Replacement> hand_on(control::StreamId stream, uint16_t writer);
  void writer_gone(uint16_t slot); // its worker died
  // Error: no such stream.
  Result<Grant> find(control::StreamId stream) const;
  // What a worker says that its newest generation holds: entries from `oldest` to before `head`.
  struct Extent {
    uint64_t capacity_bytes = 0, oldest = 0, head = 0;
  };
  std::optional<Extent> extent(control::StreamId stream) const;
  // A slot is woken as long as there are more subscriptions of it than ends of them.
  void subscribe(control::StreamId stream, uint16_t slot);
  void unsubscribe(control::StreamId stream, uint16_t slot);
  void close(control::StreamId stream); // unknown streams are ignored, here and above

  // The next generation. Empty if there is nothing to do: the stream ended meanwhile, `writer` is not its writer,
  // or its ring is that large, or as large as rings get. Error: no room in the budget.
  Result<std::optional<Replacement>> grow(control::StreamId stream, uint16_t writer, uint64_t wanted_bytes);

  // For rings that are made or grow from now on.
  void set_limits(const RingLimits &limits);
  uint64_t used_bytes() const { return used_bytes_; }
  size_t largest_bytes() const { return largest_; }

private:
  struct Generation {
    Fd writable, read_only;
    shm::Mapping mapping;
    uint64_t bytes = 0;
  };
  struct Ring {
    uint16_t writer = 0;
    bool writer_gone = false;
    uint16_t index = 0;
    uint32_t generation = 0;
    size_t capacity = 0;
    std::map<uint16_t, size_t> subscriptions; // by slot
    uint64_t subscribers = 0;                 // a bit for each of those
    media::StreamDescription description;
    // The newest last, and the one before it, which the writer and readers may not have left yet. Both count in the
    // budget, older ones no more.
    std::deque<Generation> generations;
  };

  Result<void> add_generation(control::StreamId stream, Ring &ring, size_t capacity);
  void drop_oldest(Ring &ring);
  static Grant grant_of(const Ring &ring);

  size_t initial_ = 0, largest_ = 0; // capacities
  uint64_t budget_bytes_ = 0, max_descriptors_ = 0;
  size_t generations_ = 0; // of all rings
  uint64_t used_bytes_ = 0;
  std::map<control::StreamId, Ring> rings_;
  std::deque<uint16_t> free_indices_; // the longest unused first
};

} // namespace sluice::processes
