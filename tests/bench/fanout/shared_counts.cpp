#include "tests/bench/fanout/shared_counts.h"

#include <sys/mman.h>

namespace sluice::fanout {

Result<SharedCounts> SharedCounts::create() {
  void *memory = mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return os_error("mmap");
  return SharedCounts(new (memory) Words);
}

void SharedCounts::Unmap::operator()(Words *words) const {
  munmap(words, sizeof(Words));
}

} // namespace sluice::fanout
