// Opus (RFC 6716 section 3.1): how long a packet lasts.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"

#include <optional>

namespace sluice::media {

// Empty when the packet is malformed (no data, no frame, more than 120 ms).
std::optional<Nanoseconds> opus_packet_duration(Bytes packet);

} // namespace sluice::media
