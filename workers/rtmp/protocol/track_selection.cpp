#include "workers/rtmp/protocol/track_selection.h"

#include "workers/rtmp/protocol/tracks.h"

#include <array>

namespace sluice::rtmp {
namespace {

constexpr uint32_t kTakesMultitrack = 2; // of ClientFacts::caps_ex

bool takes(const ClientFacts &client, const media::Track &track) {
  if (is_classic(track)) return true;
  auto code = fourcc_of(track.codec);
  if (!code) return false;
  std::array<uint8_t, 4> name;
  store_be32(name.data(), *code);
  return client.takes(as_text(name));
}

} // namespace

Result<Selection> select_tracks(const media::StreamDescription &description, const ClientFacts &client) {
  Selection selection;
  for (size_t i = 0; i < description.tracks.size(); i++) {
    const media::Track &track = description.tracks[i];
    if (!takes(client, track)) continue;
    auto index = static_cast<uint8_t>(i);
    if (track.kind == media::MediaKind::Video && !selection.video) selection.video = index;
    if (track.kind != media::MediaKind::Audio) continue;
    bool another = !selection.audio.empty();
    if (another && ((client.caps_ex & kTakesMultitrack) == 0 || !fourcc_of(track.codec))) continue;
    selection.audio.push_back(index);
  }
  if (!selection.video && selection.audio.empty())
    return Error{"the stream contains no track that can be read with RTMP by this client"};
  return selection;
}

} // namespace sluice::rtmp
