#include "workers/hls/playlist/multivariant_parser.h"

#include "common/base/text.h"
#include "workers/hls/playlist/attributes.h"
#include "workers/hls/playlist/parser.h"

#include <algorithm>

namespace sluice::hls {

namespace {

constexpr size_t kMaxCodecs = 16; // of a variant; further ones are ignored

std::vector<std::string> split_codecs(std::string_view list) {
  std::vector<std::string> codecs;
  while (!list.empty() && codecs.size() < kMaxCodecs) {
    std::string_view codec = list.substr(0, list.find(','));
    list.remove_prefix(std::min(codec.size() + 1, list.size()));
    if (!trim(codec).empty()) codecs.emplace_back(trim(codec));
  }
  return codecs;
}

} // namespace

Result<void> MultivariantParser::on_tag(std::string_view name, std::string_view value) {
  if (name == "#EXT-X-STREAM-INF") return on_stream(value);
  if (name == "#EXT-X-MEDIA") return on_media(value);
  return {};
}

Result<void> MultivariantParser::on_stream(std::string_view value) {
  Attributes attributes(value);
  SourceVariant variant;
  // Required, but there are playlists with one variant that do without.
  variant.bandwidth = parse_decimal(attributes.find("BANDWIDTH").value_or("0")).value_or(0);
  variant.codecs = split_codecs(attributes.find("CODECS").value_or(""));
  variant.audio_group = attributes.find("AUDIO").value_or("");
  announced_ = std::move(variant);
  return {};
}

Result<void> MultivariantParser::on_media(std::string_view value) {
  Attributes attributes(value);
  if (attributes.find("TYPE") != "AUDIO") return {};
  if (playlist_.audio.size() == kMaxSourceVariants) return Error{"playlist with too many renditions"};
  AudioRendition rendition;
  rendition.group = attributes.find("GROUP-ID").value_or("");
  rendition.name = attributes.find("NAME").value_or("");
  rendition.uri = attributes.find("URI").value_or("");
  rendition.is_default = attributes.is_yes("DEFAULT");
  rendition.autoselect = attributes.is_yes("AUTOSELECT");
  playlist_.audio.push_back(std::move(rendition));
  return {};
}

Result<void> MultivariantParser::on_uri(std::string_view uri) {
  if (!announced_) return {};
  if (playlist_.variants.size() == kMaxSourceVariants) return Error{"playlist with too many variants"};
  announced_->uri = uri;
  playlist_.variants.push_back(std::move(*announced_));
  announced_.reset();
  return {};
}

Result<SourceMultivariant> MultivariantParser::finish() {
  if (playlist_.variants.empty()) return Error{"playlist without variants"};
  return std::move(playlist_);
}

} // namespace sluice::hls
