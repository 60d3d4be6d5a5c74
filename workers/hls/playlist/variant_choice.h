// Which of a source's variants is pulled: the one with the highest bandwidth whose codecs we carry; with it the audio
// of its group that a player would begin with. Pure.
#pragma once

#include "common/base/result.h"
#include "workers/hls/playlist/source_playlist.h"

#include <optional>
#include <string_view>

namespace sluice::hls {

struct VariantChoice {
  size_t variant = 0;          // of SourceMultivariant::variants
  std::optional<size_t> audio; // of SourceMultivariant::audio, one with an URI of its own; empty: no other playlist
};

// By the codec's name as CODECS has it (RFC 6381): "avc1.64001f", "mp4a.40.2", "Opus".
bool is_carried_codec(std::string_view codec);

// One that does not say its codecs counts as carried; where none is, one with any codec that we carry is taken. Error:
// there is no such variant.
Result<VariantChoice> choose_variant(const SourceMultivariant &playlist);

} // namespace sluice::hls
