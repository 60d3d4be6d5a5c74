// Pulls one media playlist of a source, and its segments in order, into the source's buffer: one download of media and
// one of the playlist at a time. Owned by the source.
#pragma once

#include "common/loop/loop.h"
#include "workers/hls/playlist/parser.h"
#include "workers/hls/pull/follower.h"
#include "workers/hls/pull/media_buffer.h"
#include "workers/hls/pull/segment_reader.h"
#include "workers/hls/source/http_client.h"

#include <string>

namespace sluice::hls {

constexpr uint64_t kMaxSegment = 256 << 20; // bytes
constexpr uint64_t kMaxMap = 8 << 20;
constexpr uint64_t kMaxKey = 64;

class Rendition final : Download::Listener, loop::Timer::Listener {
public:
  struct Listener {
    // So many bytes have come, or something else that may be of consequence. Called within libcurl: nothing may be
    // started or stopped.
    virtual void on_received(size_t bytes) = 0;
    // Anything may be done in these.
    virtual void on_failed(const std::string &reason) = 0;
    // There is a newer playlist: what was to be played before it came.
    virtual void on_ahead(Rendition &rendition, Nanoseconds ahead) = 0;

  protected:
    ~Listener() = default;
  };
  struct Place {
    MediaBuffer &buffer;
    size_t index = 0;      // in the buffer
    const char *name = ""; // "playlist", of reasons
  };

  Rendition(loop::Loop &loop, HttpClient &client, Listener &listener, Place place, std::string url);

  // With a playlist that is known already, or without.
  void begin();
  void begin(SourceMedia playlist, std::string base);
  // There may be room in the buffer.
  void advance();
  void on_second(Nanoseconds now, Nanoseconds read_timeout);
  void stop();
  bool finished() { return follower_.finished() && !media_.active(); }
  bool live() const { return !follower_.ended(); }
  Nanoseconds hold_back() const { return follower_.hold_back(); }

private:
  static constexpr int kStalledTargets = 4;  // target durations without anything new
  static constexpr int kBlockingTargets = 3; // as many as a server may take to answer
  static constexpr int kMaxFailures = 3;     // of reloads in a row, and of segments once there were some

  bool on_data(Download &download, Bytes data) override;
  bool has_room(Download &download) override;
  void on_done(Download &download, Result<void> result) override;
  void on_timer(loop::Timer &timer) override;

  Nanoseconds now() const { return loop_.now(); }
  void load();
  void plan_reload();
  void on_playlist(Result<void> result);
  void on_media(Result<void> result);
  Result<void> finish_media();
  bool wants_more() const;
  void fail(const std::string &reason);

  loop::Loop &loop_;
  Listener &listener_;
  Place place_;
  Follower follower_;
  SegmentReader reader_;
  Download playlist_, media_;
  std::string playlist_text_;
  bool loading_blocks_ = false;
  int failures_ = 0, media_failures_ = 0;
  Fetch fetch_;    // under way
  ByteVector key_; // of it
  std::optional<Error> media_error_;
  loop::Timer timer_; // the next reload
  bool stopped_ = false;
};

} // namespace sluice::hls
