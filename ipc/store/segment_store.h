// A segment store in shared memory: one writer, any number of readers in other processes. The supervisor makes it and
// says who may do what; a writer that died is replaced by another, which goes on where the index says. Not thread-safe.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "ipc/shm/mapping.h"
#include "ipc/store/store_layout.h"

namespace sluice::store {

// For the supervisor: a fresh memfd, mode 0600, its size sealed. `capacity`: rounded up; Error beyond kMaxDataCapacity.
struct NewStore {
  uint64_t id = 0; // 48 random bits
  uint16_t store_index = 0;
  uint64_t capacity = 0;
};
Result<Fd> make(const NewStore &facts);

// For the supervisor, through a mapping of its own of the whole store.
void subscribe(MutableBytes mapping, size_t slot); // slot below 64
void unsubscribe(MutableBytes mapping, size_t slot);

// What writer and readers both see. The header's fixed facts are checked when it is made and not read again.
class StoreView {
public:
  uint64_t id() const { return id_; }
  uint16_t store_index() const { return store_index_; }
  uint64_t capacity() const { return capacity_; }
  uint64_t subscribers() const;
  // 0: nothing was published yet.
  uint64_t version() const;
  // The newest index, and its version. Error: none yet, or damaged. Never waits: a writer in mid-publication does not
  // touch it; overtaken by two publications it tries again.
  Result<uint64_t> read_index(ByteVector &out) const;
  // Whether data from this position on was not let go yet. To be asked after use as well.
  bool intact(uint64_t position) const;
  // Error: not within what was written and not let go.
  Result<Bytes> data(uint64_t position, uint64_t bytes) const;

protected:
  static Result<StoreView> map(int fd, shm::Access access);
  StoreHeader &header() const; // of a writable mapping
  shm::Mapping mapping_;
  uint64_t id_ = 0, capacity_ = 0;
  uint16_t store_index_ = 0;

private:
  static constexpr int kIndexAttempts = 16;
  const StoreHeader &facts() const { return *reinterpret_cast<const StoreHeader *>(mapping_.bytes().data()); }
};

class StoreReader final : public StoreView {
public:
  // Error: not a store.
  static Result<StoreReader> open(int fd);

private:
  explicit StoreReader(StoreView view) : StoreView(std::move(view)) {}
};

class StoreWriter final : public StoreView {
public:
  static Result<StoreWriter> open(int fd);

  uint64_t end() const { return end_; }
  // Appends; counts as there once published. Error: no room before something is let go.
  Result<uint64_t> append(Bytes data); // its position
  // What was appended so far counts, and is told by this index. Error: longer than kMaxIndexBytes.
  Result<void> publish(Bytes index);
  // What was appended since the last publication never was.
  void forget_unpublished();
  // Everything before `position`, which readers are not told of any more, goes; its memory is given back.
  void let_go_before(uint64_t position);

private:
  explicit StoreWriter(StoreView view);

  uint64_t end_ = 0, given_back_ = 0;
};

} // namespace sluice::store
