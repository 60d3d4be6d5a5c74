// What a player asks for with the query of a playlist's URL (draft-pantos-hls-rfc8216bis section 6.2.5), and when it is
// answered. Pure.
//
//   _HLS_msn=<N>   answer once the playlist has segment N
//   _HLS_part=<M>  or part M of it; only together with _HLS_msn
//   _HLS_skip=YES|v2   a delta update will do
#pragma once

#include "common/base/result.h"
#include "workers/hls/presentation.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::hls {

// How far a request may be ahead of the last segment (section 6.2.5.2), and parts, of those shorter than a second by
// their sum: the draft's Advance Part Limit.
constexpr uint64_t kMaxSegmentsAhead = 2;
constexpr uint64_t kMaxPartsAhead = 3;
// Of what is repeated behind each URI of a playlist.
constexpr size_t kMaxCarriedQuery = 1024;

struct Directives {
  std::optional<uint64_t> msn;
  std::optional<uint64_t> part; // only with msn
  bool skip = false;
};

// From a query as it was sent. Other values of _HLS_skip and other parameters that begin with _HLS_ are ignored, as the
// draft wants it. Errors (answered with 400): a number is none, a part without msn, percent-encoding.
Result<Directives> parse_directives(std::string_view query);

// What of a query is no directive, as it was sent, fit for a line of a playlist and a quoted string there: credentials
// that some players do not repeat by themselves. Error (400): longer than kMaxCarriedQuery.
Result<std::string> carried_query(std::string_view query);

// Segments that are complete: 2, of Low-Latency 1; or the presentation has ended with any. (GStreamer 1.22 gives up
// when a playlist follows one that had a single segment. Players of Low-Latency HLS are not made to wait for its sake.)
bool ready(const Presentation &presentation);

// Whether the playlist has that segment or part, or a newer one; a part behind the last one of its segment is the first
// part of the next segment. Without msn: always.
bool satisfied(const Presentation &presentation, std::optional<uint64_t> msn, std::optional<uint64_t> part);

enum class Answer : uint8_t {
  Now,
  Wait,        // ask again when the presentation has changed
  TooFarAhead, // 400
};

// How to answer a request of the media playlist. Only Low-Latency presentations that go on let anybody wait for more
// than their being ready.
Answer answer(const Presentation &presentation, const Directives &directives);

} // namespace sluice::hls
