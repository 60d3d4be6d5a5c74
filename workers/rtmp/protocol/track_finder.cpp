#include "workers/rtmp/protocol/track_finder.h"

#include "workers/rtmp/protocol/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace sluice::rtmp {
namespace {

constexpr std::array<std::string_view, 6> kVideoCodecs{"avc1", "hvc1", "hev1", "av01", "vp09", "vp08"};
constexpr std::array<std::string_view, 7> kAudioCodecs{"mp4a", ".mp3", "alaw", "ulaw", "Opus", "fLaC", "ac-3"};

// Whether a track is announced. Error: of a codec that is not supported.
Result<bool> announced(const std::optional<std::string> &codec, std::span<const std::string_view> known,
                       std::string_view kind) {
  if (!codec || codec->empty()) return false;
  if (std::find(known.begin(), known.end(), *codec) != known.end()) return true;
  return Error{fmt::format("unsupported {} codec {}", kind, *codec)};
}

} // namespace

bool TrackFinder::has(media::MediaKind kind) const {
  return std::any_of(tracks_.begin(), tracks_.end(), [kind](const Found &found) { return found.kind == kind; });
}

bool TrackFinder::complete() const {
  bool video = has(media::MediaKind::Video), audio = has(media::MediaKind::Audio);
  bool announced_any = announced_video_ || announced_audio_;
  bool all = announced_any ? (video || !announced_video_) && (audio || !announced_audio_) : video && audio;
  auto begun = [](const Found &found) { return found.begun; };
  return all && (enhanced_ ? std::all_of(tracks_.begin(), tracks_.end(), begun)
                           : std::any_of(tracks_.begin(), tracks_.end(), begun));
}

Result<void> TrackFinder::on_metadata(Bytes script_data) {
  auto metadata = TRY(parse_metadata(script_data));
  if (!metadata) return {};
  announced_video_ = TRY(announced(metadata->video, kVideoCodecs, "video"));
  announced_audio_ = TRY(announced(metadata->audio, kAudioCodecs, "audio"));
  return {};
}

Result<void> TrackFinder::on_tag(const MediaTag &tag) {
  if (tag.kind != TagKind::Configuration && tag.kind != TagKind::Frame) return {};
  enhanced_ = enhanced_ || tag.enhanced;
  bool frame = tag.kind == TagKind::Frame;
  auto same = [&tag](const Found &found) { return found.kind == tag.media && found.track_id == tag.track_id; };
  auto known = std::find_if(tracks_.begin(), tracks_.end(), same);
  if (known != tracks_.end() && frame) known->begun = true;
  if (frame && (known != tracks_.end() || (tag.codec != media::Codec::Other && needs_configuration(tag.codec))))
    return {};
  Found found{.facts = TRY(describe_track(tag)), .kind = tag.media, .track_id = tag.track_id, .begun = frame};
  if (known != tracks_.end()) {
    *known = std::move(found); // another configuration before anything began
  } else {
    if (tracks_.size() == media::kMaxTracks) return Error{"too many tracks"};
    tracks_.push_back(std::move(found));
  }
  return {};
}

Result<void> TrackFinder::on_media(const MediaMessage &message) {
  if (message.type == MessageType::DataAmf0) return on_metadata(message.payload);
  if (message.type == MessageType::Video)
    TRY(parse_video_tag(message.payload, tags_));
  else
    TRY(parse_audio_tag(message.payload, tags_));
  for (const MediaTag &tag : tags_) TRY(on_tag(tag));
  if (!first_ms_) first_ms_ = message.timestamp_ms;
  bool announced_any = announced_video_ || announced_audio_;
  int64_t passed = message.timestamp_ms - *first_ms_;
  bool patient = passed >= 0 && passed < (announced_any ? kAnnouncedPatienceMs : kPatienceMs);
  if (complete() || !patient) return finish();
  return {};
}

Result<void> TrackFinder::finish() {
  if (tracks_.empty()) return Error{"no tracks found"};
  std::stable_sort(tracks_.begin(), tracks_.end(), [](const Found &a, const Found &b) {
    return std::pair(a.kind != media::MediaKind::Video, a.track_id) <
           std::pair(b.kind != media::MediaKind::Video, b.track_id);
  });
  // Only one of each kind can have the usual payload type.
  uint8_t next = kAudioPayloadType + 1;
  std::vector<uint8_t> taken;
  for (Found &found : tracks_) {
    uint8_t &type = found.facts.track.payload_type;
    if (std::find(taken.begin(), taken.end(), type) != taken.end()) type = next++;
    taken.push_back(type);
  }
  done_ = true;
  return {};
}

} // namespace sluice::rtmp
