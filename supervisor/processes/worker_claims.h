// What a worker may say at all, checked before anything believes it: only messages that workers send, sessions
// that carry its own slot, descriptors where they belong, texts of sane size.
#pragma once

#include "common/base/result.h"
#include "ipc/control/messages.h"

namespace sluice::processes {

constexpr size_t kMaxPathNameBytes = 4096; // an RTSP URL has 2048
constexpr size_t kMaxClientBytes = 256;

// Error: the worker is broken or hostile, and is to be killed.
Result<void> check_claims(uint16_t slot, uint16_t slots, const control::Message &message, size_t descriptors);

} // namespace sluice::processes
