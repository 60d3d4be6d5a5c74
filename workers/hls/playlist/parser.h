// Parser of the playlists of sources, multivariant and media (RFC 8216 section 4). As tolerant as players are: any line
// ends, a byte order mark, blanks at the ends of lines, unknown tags, no version. Bounded by the constants below. Pure.
//
//   playlist = "#EXTM3U" *( line end ( tag / comment / URI / nothing ) )
//   tag = "#EXT" name [ ":" value ], comment = "#" anything
#pragma once

#include "common/base/result.h"
#include "workers/hls/playlist/source_playlist.h"

#include <string_view>
#include <variant>

namespace sluice::hls {

constexpr size_t kMaxPlaylist = 1 << 20; // bytes
constexpr size_t kMaxLine = 16384;
constexpr size_t kMaxSourceSegments = 20'000;
constexpr size_t kMaxSourceParts = 20'000; // of all segments
constexpr size_t kMaxSourceKeys = 4096;    // as many maps
constexpr size_t kMaxSourceVariants = 256; // as many audio renditions

using SourcePlaylist = std::variant<SourceMultivariant, SourceMedia>;

// Errors: no playlist, both kinds at once, a limit, a tag whose meaning is needed is malformed, a delta update (nobody
// asks for one).
Result<SourcePlaylist> parse_playlist(std::string_view text);

} // namespace sluice::hls
