// How what a stream holds leaves as datagrams: worked out once a round for all readers over UDP of a generation of its
// ring, which owns it.
#pragma once

#include "workers/base/stream.h"

#include <sys/uio.h>

#include <vector>

namespace sluice::rtsp {

using worker::Generation;
using worker::Start;
using worker::Stream;
using worker::StreamReader;

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
  static constexpr size_t kMaxPacketBytes = 1472; // of a datagram: Ethernet's MTU less IPv4 and UDP headers
  static constexpr size_t kMaxEntries = 1024;

  uint64_t first = 0, end = 0;
  uint64_t begin_position = 0;
  uint32_t oversized = 0; // entries that fit no datagram and are left out
  std::vector<DatagramBatch> batches;
  std::vector<iovec> parts;
};

// The packet of an entry, in the ring. Empty when the entry does not lie in the span.
Bytes packet_in(const ring::Span &span, const ring::EntryInfo &entry);

class DatagramPlans final : public worker::RoundWork {
public:
  static DatagramPlans &of(Generation &generation) { return generation.work<DatagramPlans>(); }

  // Cached for readers at the same cursor.
  const DatagramPlan &from(Generation &generation, uint64_t cursor);
  // The same up to `limit`, for readers that may not have everything yet.
  const DatagramPlan &before(Generation &generation, uint64_t limit, uint64_t cursor);

  void forget() override { whole_valid_ = limited_valid_ = false; }

private:
  void plan(const ring::RingReader &reader, const ring::Span &span, DatagramPlan &plan);
  void plan_track(uint8_t key, DatagramPlan &plan);

  struct Planned {
    Bytes packet; // in the ring
    uint8_t key;  // 2 * track + rtcp
  };

  DatagramPlan whole_, limited_;
  std::vector<Planned> planned_; // scratch
  uint64_t planned_limit_ = 0;   // of limited_
  bool whole_valid_ = false, limited_valid_ = false;
};

} // namespace sluice::rtsp
