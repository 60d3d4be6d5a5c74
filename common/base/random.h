// Numbers nobody can guess: session ids, SSRCs. From the kernel, never from a state that a cloned process shares.
#pragma once

#include <cstdint>

namespace sluice {

uint64_t secure_random();

} // namespace sluice
