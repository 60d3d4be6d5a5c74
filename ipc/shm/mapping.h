// Owners of mapped shared memory. The descriptor may be closed once mapped.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <utility>

namespace sluice::shm {

enum class Access { ReadOnly, ReadWrite };

class Mapping {
public:
  // All of a memfd of sealed size.
  static Result<Mapping> map(int fd, Access access);
  // A ring's memfd, its data mapped twice in a row (ipc/ring/ring_layout.h). The size must be that of a ring; the
  // header is for RingReader and RingWriter to check against it.
  static Result<Mapping> map_ring(int fd, Access access);
  // The same of a memfd of any sealed size, whose data begins at `tail`, a multiple of the page size.
  static Result<Mapping> map_with_tail_again(int fd, Access access, size_t tail);

  Mapping() = default;
  Mapping(Mapping &&other) noexcept : bytes_(std::exchange(other.bytes_, {})), access_(other.access_) {}
  Mapping &operator=(Mapping &&other) noexcept;
  Mapping(const Mapping &) = delete;
  Mapping &operator=(const Mapping &) = delete;
  ~Mapping();

  Bytes bytes() const { return bytes_; }
  MutableBytes writable() const; // only of a mapping made with ReadWrite

private:
  Mapping(MutableBytes bytes, Access access) : bytes_(bytes), access_(access) {}

  MutableBytes bytes_;
  Access access_ = Access::ReadOnly;
};

} // namespace sluice::shm
