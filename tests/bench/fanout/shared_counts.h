// Counters that a child process sets and the benchmark reads, in memory that both share.
#pragma once

#include "common/base/result.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace sluice::fanout {

class SharedCounts {
public:
  static Result<SharedCounts> create();

  void set(uint64_t packets, uint64_t bytes) const {
    words_->packets.store(packets, std::memory_order_relaxed);
    words_->bytes.store(bytes, std::memory_order_relaxed);
  }
  uint64_t packets() const { return words_->packets.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return words_->bytes.load(std::memory_order_relaxed); }
  // Of the child's connections: they ended before it did.
  void count_cut_off() const { words_->cut_off.fetch_add(1, std::memory_order_relaxed); }
  uint64_t cut_off() const { return words_->cut_off.load(std::memory_order_relaxed); }

private:
  struct Words {
    std::atomic<uint64_t> packets, bytes, cut_off;
  };
  struct Unmap {
    void operator()(Words *words) const;
  };
  explicit SharedCounts(Words *words) : words_(words) {}

  std::unique_ptr<Words, Unmap> words_;
};

} // namespace sluice::fanout
