// CHECK(condition): our own invariants. A violation is a bug of ours; the process aborts, and if it is a
// worker it is replaced. Never used on input.
#pragma once

namespace sluice {

[[noreturn]] void check_failed(const char *condition, const char *file, int line);

} // namespace sluice

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                                     \
      ::sluice::check_failed(#condition, __FILE__, __LINE__);                                                          \
  } while (false)
