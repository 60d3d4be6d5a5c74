// Binary form of a control message: u8 kind (index in Message), then the struct by its visitor.
#pragma once

#include "common/base/result.h"
#include "ipc/control/messages.h"

namespace sluice::control {

ByteVector encode(const Message &message);

// Error: unknown kind, truncated or oversized input, trailing bytes, a value out of its range.
Result<Message> decode_message(Bytes input);

const char *name_of(const Message &message);

} // namespace sluice::control
