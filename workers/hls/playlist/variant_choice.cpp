#include "workers/hls/playlist/variant_choice.h"

#include "common/base/text.h"

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
  // MPEG-4 audio: 40 with AAC's object types (and 34, MP3), MPEG-2 AAC, MP3 of both kinds, AC-3 (mp4ra.org)
  constexpr std::array<std::string_view, 14> kNames = {"avc1",    "avc3",    "hvc1",    "hev1",     "av01",
                                                       "vp09",    "opus",    "ac-3",    "mp4a.40.", "mp4a.66",
                                                       "mp4a.67", "mp4a.69", "mp4a.6b", "mp4a.a5"};
  std::string name = lower(codec);
  if (name == "mp4a.40.42" || name == "mp4a.40.39") return false; // xHE-AAC, ELD
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
