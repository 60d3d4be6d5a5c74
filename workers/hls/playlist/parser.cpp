#include "workers/hls/playlist/parser.h"

#include "common/base/text.h"
#include "workers/hls/playlist/media_parser.h"
#include "workers/hls/playlist/multivariant_parser.h"

#include <algorithm>

namespace sluice::hls {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBegin = "#EXTM3U";

// Takes a line from the front, without its end and the blanks around it.
std::string_view take_line(std::string_view &text) {
  size_t end = std::min(text.find_first_of("\r\n"), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trim(line);
}

enum class Kind : uint8_t { Unknown, Multivariant, Media };

Kind kind_of(std::string_view tag) {
  if (tag == "#EXT-X-STREAM-INF" || tag == "#EXT-X-MEDIA" || tag == "#EXT-X-I-FRAME-STREAM-INF")
    return Kind::Multivariant;
  if (tag == "#EXTINF" || tag == "#EXT-X-TARGETDURATION" || tag == "#EXT-X-MEDIA-SEQUENCE" || tag == "#EXT-X-PART")
    return Kind::Media;
  return Kind::Unknown;
}

Result<Kind> find_kind(std::string_view text) {
  Kind found = Kind::Unknown;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (line.size() > kMaxLine) return Error{"playlist with a line that is too long"};
    Kind kind = kind_of(line.substr(0, line.find(':')));
    if (kind == Kind::Unknown) continue;
    if (found != Kind::Unknown && found != kind) return Error{"playlist with tags of both kinds of playlist"};
    found = kind;
  }
  return found;
}

template <class Parser> Result<SourcePlaylist> parse_lines(std::string_view text, Parser parser) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (line[0] != '#') {
      TRY(parser.on_uri(line));
    } else if (line.starts_with("#EXT")) {
      std::string_view name = line.substr(0, line.find(':'));
      TRY(parser.on_tag(name, trim(line.substr(std::min(name.size() + 1, line.size())))));
    }
  }
  return SourcePlaylist(TRY(parser.finish()));
}

} // namespace

Result<SourcePlaylist> parse_playlist(std::string_view text) {
  if (text.size() > kMaxPlaylist) return Error{"playlist too large"};
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::string_view first = take_line(text);
  if (!first.starts_with(kBegin)) return Error{"not a playlist"};
  Kind kind = TRY(find_kind(text));
  if (kind == Kind::Multivariant) return parse_lines(text, MultivariantParser());
  return parse_lines(text, MediaParser());
}

} // namespace sluice::hls
