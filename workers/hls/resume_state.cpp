#include "workers/hls/resume_state.h"

#include <cstring>
#include <type_traits>

namespace sluice::hls {

// Written and read by incarnations of one executable: its size tells whether it is the same layout.
static_assert(std::is_trivially_copyable_v<SegmenterState>);

ByteVector encode_state(const SegmenterState &state) {
  ByteVector bytes(sizeof state);
  std::memcpy(bytes.data(), &state, sizeof state);
  return bytes;
}

std::optional<SegmenterState> decode_state(Bytes bytes) {
  SegmenterState state;
  if (bytes.size() != sizeof state) return std::nullopt;
  std::memcpy(&state, bytes.data(), sizeof state);
  return state;
}

} // namespace sluice::hls
