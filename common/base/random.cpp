#include "common/base/random.h"

#include "common/base/check.h"

#include <sys/random.h>

namespace sluice {

uint64_t secure_random() {
  uint64_t number = 0;
  ssize_t count = ::getrandom(&number, sizeof number, 0); // up to 256 bytes are never cut short
  CHECK(count == sizeof number);
  return number;
}

} // namespace sluice
