// Finds out which tracks a publisher sends, from its metadata and its first messages: a track is known once its
// configuration has come, or, where there is none, its first frame. What the metadata announces is waited for; without
// it, both kinds until one second of media has come. There may be more audio tracks than one: the configurations of all
// come before any frame, so that one is waited for, too; with enhanced RTMP, where not all have one, a frame of each.
// Pure.
#pragma once

#include "common/base/result.h"
#include "workers/rtmp/protocol/media_message.h"
#include "workers/rtmp/protocol/tracks.h"

#include <vector>

namespace sluice::rtmp {

class TrackFinder {
public:
  // Media time after which what there is counts: with metadata, and without.
  static constexpr int64_t kPatienceMs = 1'000, kAnnouncedPatienceMs = 3'000;

  struct Found {
    TrackFacts facts;
    media::MediaKind kind = media::MediaKind::Video;
    uint8_t track_id = 0;
    bool begun = false; // a frame has come
  };

  // The publisher speaks enhanced RTMP, which need not show in its first messages.
  void expect_enhanced() { enhanced_ = true; }
  // Errors: a codec that is not supported, a malformed message, "no tracks found".
  Result<void> on_media(const MediaMessage &message);
  bool done() const { return done_; }
  // Nothing more is waited for. Error: "no tracks found".
  Result<void> finish();

  // Video first; audio in the order of their ids.
  const std::vector<Found> &tracks() const { return tracks_; }

private:
  Result<void> on_metadata(Bytes script_data);
  Result<void> on_tag(const MediaTag &tag);
  bool has(media::MediaKind kind) const;
  bool complete() const;

  bool announced_video_ = false, announced_audio_ = false;
  bool enhanced_ = false, done_ = false;
  std::optional<int64_t> first_ms_;
  std::vector<Found> tracks_;
  std::vector<MediaTag> tags_; // scratch
};

} // namespace sluice::rtmp
