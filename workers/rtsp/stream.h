// The reading side of one stream in this worker: its ring's generations and the readers that follow it. A round
// gives each reader everything since its cursor; what is common to all readers (the span, the plan of datagrams)
// is worked out once a round. Owned by the Server; readers register for as long as they play.
#pragma once

#include "ipc/control/messages.h"
#include "ipc/ring/ring_reader.h"
#include "ipc/shm/mapping.h"
#include "workers/rtsp/stream_reader.h"

#include <sys/uio.h>

#include <memory>
#include <vector>

namespace sluice::rtsp {

// Consecutive packets of one track that fit one UDP_SEGMENT send: all of `segment` bytes, the last one maybe less.
struct DatagramBatch {
  uint8_t track = 0;
  bool rtcp = false;
  uint16_t segment = 0;
  uint32_t first_part = 0, parts = 0; // in DatagramPlan::parts
  uint32_t bytes = 0;
};

// What a UDP reader with all tracks sends for the entries [first, end).
struct DatagramPlan {
  uint64_t first = 0, end = 0;
  uint64_t begin_position = 0;
  uint32_t oversized = 0; // entries that fit no datagram and are left out
  std::vector<DatagramBatch> batches;
  std::vector<iovec> parts;
};

// The packet of an entry, in the ring. Empty when the entry does not lie in the span.
Bytes packet_in(const ring::Span &span, const ring::EntryInfo &entry);

class Generation {
public:
  static Result<std::unique_ptr<Generation>> map(int fd);

  const ring::RingReader &reader() const { return reader_; }
  const ring::Span &span(uint64_t cursor);        // cached for readers at the same cursor
  const DatagramPlan &datagrams(uint64_t cursor); // likewise; at most kMaxPlannedEntries
  // The same up to `limit`, for readers that may not have everything yet.
  const ring::Span &span_before(uint64_t limit, uint64_t cursor);
  const DatagramPlan &datagrams_before(uint64_t limit, uint64_t cursor);
  uint64_t round_head();
  // The cursor has everything that was there when the round began.
  bool reached(uint64_t cursor) const { return head_valid_ && cursor == head_; }
  void forget_round() { head_valid_ = span_valid_ = plan_valid_ = limited_plan_valid_ = false; }

private:
  Generation(shm::Mapping mapping, const ring::RingReader &reader) : mapping_(std::move(mapping)), reader_(reader) {}
  void plan(const ring::Span &span, DatagramPlan &plan);
  void plan_track(uint8_t key, DatagramPlan &plan);

  struct Planned {
    Bytes packet; // in the ring
    uint8_t key;  // 2 * track + rtcp
  };

  shm::Mapping mapping_;
  ring::RingReader reader_;
  ring::Span span_, limited_span_;
  DatagramPlan plan_, limited_plan_;
  std::vector<Planned> planned_; // scratch
  uint64_t head_ = 0;
  uint64_t planned_limit_ = 0; // of limited_plan_
  bool head_valid_ = false, span_valid_ = false, plan_valid_ = false, limited_plan_valid_ = false;
};

class Stream {
public:
  static constexpr size_t kMaxPacketBytes = 1472; // of a datagram: Ethernet's MTU less IPv4 and UDP headers
  static constexpr size_t kMaxSpanBytes = 4 << 20;
  static constexpr size_t kMaxPlannedEntries = 1024;

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

} // namespace sluice::rtsp
