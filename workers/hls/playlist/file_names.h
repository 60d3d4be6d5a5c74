// Names of the files of a presentation, in both directions (presentation.h lists them). Pure.
//
//   "index.m3u8" / "stream.m3u8" / id "_init" N ".mp4" / id "_seg" N ( ".ts" / ".mp4" ) / id "_part" N ".mp4"
//   id = 12 lower-case hexadecimal digits; N = "0" / a digit other than 0 and more digits, at most 2^64 - 1
#pragma once

#include "workers/hls/presentation.h"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::hls {

constexpr size_t kIdDigits = 12;
constexpr std::string_view kMultivariantName = "index.m3u8";
constexpr std::string_view kMediaName = "stream.m3u8";

enum class FileKind : uint8_t { Multivariant, Media, Initialisation, Segment, Part };

struct FileName {
  FileKind kind = FileKind::Multivariant;
  std::string_view id; // of the muxer, part of what was parsed; empty for playlists
  uint64_t number = 0;
  bool mpeg_ts = false; // a segment of MPEG-TS, else of MP4
};

// Empty: none of the above. No other spelling of a name is taken.
std::optional<FileName> parse_file_name(std::string_view name);

void append_file_name(std::string &out, const FileName &name);

// In decimal digits, with zeros in front up to `width`. Playlists are written for each viewer whose query is repeated
// in them: this is what they mostly consist of.
void append_number(std::string &out, uint64_t number, size_t width = 0);

} // namespace sluice::hls
