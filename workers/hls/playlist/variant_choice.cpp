#include "workers/hls/playlist/variant_choice.h"

#include "common/base/text.h"
#include "workers/hls/playlist/attributes.h"

#include <algorithm>
#include <array>

namespace sluice::hls {

namespace {

// Captions and subtitles, which come in renditions that are left alone.
bool is_text_codec(std::string_view codec) {
  return codec.starts_with("stpp") || codec.starts_with("wvtt") || codec.starts_with("c608") ||
         codec.starts_with("c708");
}

enum class Fit : uint8_t { None, Some, All };

Fit fit(const SourceVariant &variant) {
  bool any = false, all = true;
  for (const std::string &codec : variant.codecs) {
    if (is_text_codec(codec)) continue;
    bool carried = is_carried_codec(codec);
    any = any || carried;
    all = all && carried;
  }
  if (all) return Fit::All;
  return any ? Fit::Some : Fit::None;
}

std::optional<size_t> choose_audio(const SourceMultivariant &playlist, const SourceVariant &variant) {
  if (variant.audio_group.empty()) return std::nullopt;
  std::optional<size_t> best;
  int best_rank = -1;
  for (size_t i = 0; i < playlist.audio.size(); i++) {
    const AudioRendition &rendition = playlist.audio[i];
    int rank = rendition.is_default ? 2 : rendition.autoselect ? 1 : 0;
    if (rendition.group != variant.audio_group || rank <= best_rank) continue;
    best = i;
    best_rank = rank;
  }
  if (best && playlist.audio[*best].uri.empty()) return std::nullopt;
  return best;
}

} // namespace

bool is_carried_codec(std::string_view codec) {
  // As they begin. mp4a.6x: MPEG-2 AAC and MP3, a5: AC-3 (mp4ra.org)
  constexpr std::array<std::string_view, 13> kNames = {"avc1",    "avc3",    "hvc1",   "hev1",    "av01",
                                                       "vp09",    "opus",    "ac-3",   "mp4a.66", "mp4a.67",
                                                       "mp4a.69", "mp4a.6b", "mp4a.a5"};
  // MPEG-4 audio by object type: AAC, with SBR and PS, and MP3.
  constexpr std::string_view kMpeg4Audio = "mp4a.40.";
  constexpr std::array<uint64_t, 7> kObjectTypes = {1, 2, 3, 4, 5, 29, 34};
  std::string name = lower(codec);
  if (name.starts_with(kMpeg4Audio)) {
    auto type = parse_decimal(std::string_view(name).substr(kMpeg4Audio.size()));
    return type && std::find(kObjectTypes.begin(), kObjectTypes.end(), *type) != kObjectTypes.end();
  }
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) { return name.starts_with(known); });
}

Result<VariantChoice> choose_variant(const SourceMultivariant &playlist) {
  std::optional<size_t> best;
  Fit best_fit = Fit::None;
  for (size_t i = 0; i < playlist.variants.size(); i++) {
    Fit this_fit = fit(playlist.variants[i]);
    if (this_fit == Fit::None || this_fit < best_fit) continue;
    bool better = this_fit > best_fit || playlist.variants[i].bandwidth > playlist.variants[*best].bandwidth;
    if (best && !better) continue;
    best = i;
    best_fit = this_fit;
  }
  if (!best) return Error{"no variant with supported codecs"};
  return VariantChoice{*best, choose_audio(playlist, playlist.variants[*best])};
}

} // namespace sluice::hls
