// Follows one media playlist of a source: what is to be fetched next, in order, and when the playlist is to be loaded
// again (RFC 8216 sections 6.3.3 and 6.3.4; blocking reload and parts as draft-pantos-hls-rfc8216bis sections 6.2.5 and
// 6.3.7 have them, where the server offers both). A machine: it fetches nothing itself. Owned by the rendition. Pure.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "workers/hls/demux/aes128.h"
#include "workers/hls/playlist/source_playlist.h"

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace sluice::hls {

constexpr size_t kMaxCachedKeys = 16;

struct Cipher {
  std::array<uint8_t, kAesBlock> key{};
  InitialisationVector vector{};
};

struct Fetch {
  enum class Kind : uint8_t {
    Key,
    Map,   // an initialisation section
    Media, // a segment or a part
  };
  Kind kind = Kind::Media;
  std::string url; // http or https
  std::optional<ByteRange> range;
  std::optional<Cipher> cipher;
  uint64_t discontinuity = 0; // sequence number of where it belongs
  bool begins_segment = true; // of Media
  bool ends_segment = true;   // as far as is known; else the begin of another one tells
};

struct Reload {
  Nanoseconds due = 0;
  std::string url;
  bool blocks = false; // the server answers when there is something new
};

class Follower {
public:
  explicit Follower(std::string url) : url_(std::move(url)) {}

  // The playlist was asked for. Its answer is on_playlist().
  void on_load(Nanoseconds now) { load_ns_ = now; }
  // `base`: the URL that it came from. The first one that has segments decides where to begin: at the first one, if it
  // has ended; else HOLD-BACK or PART-HOLD-BACK from the end, and without these three target durations.
  void on_playlist(SourceMedia playlist, std::string base, Nanoseconds now);
  // Empty: it has ended.
  std::optional<Reload> reload() const;

  // What is to be fetched next; the same until done() or on_key(). Empty: nothing for now. Errors: what can't be used.
  Result<std::optional<Fetch>> next();
  void done();                    // the last of next(), no Key
  Result<void> on_key(Bytes key); // likewise a Key

  bool ended() const { return playlist_ && playlist_->ended; }
  bool finished(); // ended, and all was fetched
  Nanoseconds target_duration() const;
  Nanoseconds hold_back() const;
  Nanoseconds listed_ahead() const;                      // of what is listed and not done
  Nanoseconds changed_at() const { return changed_ns_; } // when there was something new
  uint64_t missed_segments() const { return missed_; }   // gone from the playlist, or not to be had

private:
  // Where in the playlist: a segment's number, and how many of its parts.
  struct Position {
    uint64_t number = 0;
    size_t parts = 0;
    auto operator<=>(const Position &) const = default;
  };
  struct LoadedMap {
    std::string url;
    std::optional<ByteRange> range;
    bool operator==(const LoadedMap &) const = default;
  };

  static Position end_of(const SourceMedia &playlist);
  Position begin_of(const SourceMedia &playlist) const;
  Position low_latency_begin(const SourceMedia &playlist) const;
  bool uses_parts() const { return playlist_ && playlist_->can_block_reload && playlist_->part_target > 0; }
  const SourceSegment *current() const;
  const SourceSegment *skip_to_media();
  void next_segment();
  Result<std::string> resolve(const std::string &uri) const;
  // A Key that is needed first goes to `out`, and false comes back.
  Result<bool> find_cipher(std::optional<size_t> key, uint64_t number, Fetch &fetch, Fetch &out);
  Result<Fetch> fetch_of(const SourceSegment &segment);

  std::string url_, base_;
  std::optional<SourceMedia> playlist_; // the newest
  bool begun_ = false;
  bool changed_ = false; // by the last load
  Position next_;
  Nanoseconds load_ns_ = 0, changed_ns_ = 0;
  std::optional<LoadedMap> map_;                                            // that the demuxer has
  std::deque<std::pair<std::string, std::array<uint8_t, kAesBlock>>> keys_; // by URL, the oldest first
  std::optional<Fetch> offered_;
  Position offered_at_;
  bool offered_whole_ = false; // a segment, not a part
  uint64_t missed_ = 0;
};

} // namespace sluice::hls
