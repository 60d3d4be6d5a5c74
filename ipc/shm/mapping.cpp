#include "ipc/shm/mapping.h"

#include "common/base/check.h"
#include "ipc/ring/ring_layout.h"
#include "ipc/shm/memfd.h"

#include <sys/mman.h>

namespace sluice::shm {
namespace {

int protection(Access access) {
  return access == Access::ReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
}

} // namespace

Mapping &Mapping::operator=(Mapping &&other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(access_, other.access_);
  return *this;
}

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

MutableBytes Mapping::writable() const {
  CHECK(access_ == Access::ReadWrite);
  return bytes_;
}

Result<Mapping> Mapping::map(int fd, Access access) {
  size_t size = TRY(sealed_size(fd));
  if (size == 0) return Error{"shared memory is empty"};
  void *memory = mmap(nullptr, size, protection(access), MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return os_error("mapping of shared memory");
  return Mapping(MutableBytes(static_cast<uint8_t *>(memory), size), access);
}

Result<Mapping> Mapping::map_ring(int fd, Access access) {
  std::optional<size_t> capacity = ring::data_capacity_of(TRY(sealed_size(fd)));
  if (!capacity) return Error{"shared memory has no size of a ring"};
  return map_with_tail_again(fd, access, ring::data_offset(*capacity));
}

Result<Mapping> Mapping::map_with_tail_again(int fd, Access access, size_t tail) {
  size_t size = TRY(sealed_size(fd));
  if (tail >= size) return Error{"shared memory has no data"};
  size_t all = size + (size - tail);
  void *reserved = mmap(nullptr, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return os_error("address space for shared memory");
  Mapping mapping(MutableBytes(static_cast<uint8_t *>(reserved), all), access); // from here on it unmaps all
  int flags = MAP_SHARED | MAP_FIXED;
  uint8_t *again = mapping.bytes_.data() + size;
  if (mmap(reserved, size, protection(access), flags, fd, 0) == MAP_FAILED ||
      mmap(again, size - tail, protection(access), flags, fd, static_cast<off_t>(tail)) == MAP_FAILED)
    return os_error("mapping of shared memory");
  return mapping;
}

} // namespace sluice::shm
