// The subscriber mask in a ring's header: which worker slots its writer wakes. Changed by the supervisor, through
// its own read-write mapping of at least the header; the reader scans the ring once after it was subscribed.
#pragma once

#include "common/base/bytes.h"

#include <cstddef>

namespace sluice::ring {

void subscribe(MutableBytes mapping, size_t slot);   // slot below kMaxSlots
void unsubscribe(MutableBytes mapping, size_t slot); // idempotent, both
// For the next generation, before its descriptor is given to anyone.
void copy_subscribers(MutableBytes from, MutableBytes to);

} // namespace sluice::ring
