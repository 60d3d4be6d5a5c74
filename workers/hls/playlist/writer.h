// Playlists of a presentation: RFC 8216 section 4, for Low-Latency HLS draft-pantos-hls-rfc8216bis section 4.4. Pure
// functions of the presentation, so that every worker writes the same; the text replaces what is in `out`, whose memory
// is used again.
#pragma once

#include "workers/hls/presentation.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::hls {

// Multiples of the target duration, or of the part target, that the draft asks for (sections 4.4.3.8 and 6.2.2).
constexpr int kSkipBoundary = 6;
constexpr int kHoldBack = 3;
constexpr int kPartHoldBack = 3;
constexpr int kPartsTold = 3; // parts of segments that end longer before the end are told no more

struct BitRates {
  uint64_t peak = 0; // bits per second
  uint64_t average = 0;
};

// Of the complete segments, as section 4.4.6.2 wants it: the peak is the largest of any run of segments that lasts
// between half and one and a half target durations; with no such run, of any segment. 0: there is none.
BitRates measure_bit_rates(const Presentation &presentation);

// index.m3u8. `query`: of carried_query(), repeated behind the URI; empty: none.
void write_multivariant(const Presentation &presentation, std::string_view query, std::string &out);

// stream.m3u8, of a presentation that is ready. With `skip` a delta update, if there is anything to be left out:
// segments of which each moment is farther from the end than the skip boundary.
void write_media(const Presentation &presentation, std::string_view query, bool skip, std::string &out);

// How many segments a delta update leaves out.
size_t skipped_segments(const Presentation &presentation);

} // namespace sluice::hls
