// A Segmenter's state in the form in which the store's index keeps it. Pure.
#pragma once

#include "workers/hls/mux/segmenter.h"

#include <optional>

namespace sluice::hls {

ByteVector encode_state(const SegmenterState &state);
// Empty: none, or damaged.
std::optional<SegmenterState> decode_state(Bytes bytes);

} // namespace sluice::hls
