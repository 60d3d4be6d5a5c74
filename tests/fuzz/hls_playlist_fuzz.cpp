// Playlists of a source; as well queries and names of files of requests. What was accepted keeps its promises.

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/http/uri.h"
#include "workers/hls/playlist/directives.h"
#include "workers/hls/playlist/file_names.h"
#include "workers/hls/playlist/parser.h"
#include "workers/hls/playlist/variant_choice.h"

using namespace sluice;

namespace {

void check_media(const hls::SourceMedia &media) {
  CHECK(media.segments.size() <= hls::kMaxSourceSegments);
  for (size_t i = 0; i < media.segments.size(); i++) {
    const hls::SourceSegment &segment = media.segments[i];
    CHECK(segment.number == media.segments[0].number + i);
    CHECK(!segment.uri.empty() || i + 1 == media.segments.size());
    CHECK(segment.duration >= 0);
    CHECK(!segment.key || *segment.key < media.keys.size());
    CHECK(!segment.map || *segment.map < media.maps.size());
    if (segment.range) CHECK(segment.range->offset + segment.range->length > segment.range->offset);
    if (segment.key) (void)hls::initialisation_vector(media.keys[*segment.key], segment.number);
    auto uri = http::resolve_reference("https://host/a/b/c.m3u8?q", segment.uri);
    CHECK(uri.has_value());
    CHECK(http::resolve_reference(*uri, "").has_value());
  }
  for (const hls::SourceMap &map : media.maps) CHECK(!map.key || *map.key < media.keys.size());
}

void check_names(std::string_view text) {
  if (auto name = hls::parse_file_name(text)) {
    std::string written;
    hls::append_file_name(written, *name);
    CHECK(written == text);
  }
  if (auto directives = hls::parse_directives(text)) CHECK(!directives->part || directives->msn);
  if (auto carried = hls::carried_query(text)) {
    CHECK(carried->find_first_of("\"\r\n #") == std::string::npos);
    CHECK(carried->size() <= hls::kMaxCarriedQuery);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = as_text(Bytes(data, size));
  check_names(text);
  auto playlist = hls::parse_playlist(text);
  if (!playlist) return 0;
  if (auto *media = std::get_if<hls::SourceMedia>(&*playlist)) {
    check_media(*media);
    return 0;
  }
  const auto &multivariant = std::get<hls::SourceMultivariant>(*playlist);
  CHECK(!multivariant.variants.empty());
  if (auto choice = hls::choose_variant(multivariant)) {
    CHECK(choice->variant < multivariant.variants.size());
    CHECK(!choice->audio || *choice->audio < multivariant.audio.size());
  }
  return 0;
}
