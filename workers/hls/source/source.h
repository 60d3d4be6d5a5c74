// Pulls one stream from an HTTP server into a ring: finds the playlists of a variant, has renditions fill a buffer, and
// publishes what is due from it as it plays. One attempt: whatever fails ends it, and the supervisor decides what comes
// next. Owned by worker::Sources.
#pragma once

#include "common/loop/loop.h"
#include "workers/base/server.h"
#include "workers/base/source.h"
#include "workers/hls/pull/media_buffer.h"
#include "workers/hls/pull/pacer.h"
#include "workers/hls/source/http_client.h"
#include "workers/hls/source/publisher.h"
#include "workers/hls/source/rendition.h"

#include <memory>
#include <string>
#include <vector>

namespace sluice::hls {

class Source final : public worker::Source,
                     Download::Listener,
                     public Rendition::Listener,
                     Publisher::Listener,
                     loop::Timer::Listener {
public:
  static Result<std::unique_ptr<worker::Source>> create(worker::Server &server, const control::StartSource &start,
                                                        const std::vector<Fd> &fds);
  // The record goes back to its table with the source.
  Source(worker::Server &server, const control::StartSource &start, std::unique_ptr<HttpClient> client,
         shm::SessionRecord &record);
  ~Source() override;

  void begin() override;
  void on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) override;
  void stop() override;
  void fail(const std::string &reason) override;
  void on_second(Nanoseconds now) override;
  worker::Publication *publication() override { return publisher_ ? &publisher_->publication() : nullptr; }

private:
  // The first playlist.
  bool on_data(Download &download, Bytes data) override;
  bool has_room(Download &) override { return true; }
  void on_done(Download &download, Result<void> result) override;
  void on_first_playlist(SourcePlaylist playlist);
  Result<void> choose(const SourceMultivariant &playlist, const std::string &base);
  void add_rendition(std::string url);

  void on_received(size_t bytes) override;
  void on_failed(const std::string &reason) override { fail(reason); }
  void on_ahead(Rendition &rendition, Nanoseconds ahead) override;
  void on_uncongested() override { look_soon(); }
  void on_timer(loop::Timer &timer) override;

  Nanoseconds now() const { return server_.event_loop().now(); }
  void look_soon();
  void settle();
  void play();
  bool finished() const;
  void end();

  worker::Server &server_;
  shm::SessionRecord &record_;
  std::unique_ptr<HttpClient> client_;
  Download first_; // playlist
  std::string first_text_;
  std::unique_ptr<MediaBuffer> buffer_;
  std::vector<std::unique_ptr<Rendition>> renditions_; // the variant, and its audio if that is apart
  Pacer pacer_;
  std::unique_ptr<Publisher> publisher_;
  bool asked_ = false; // SourceReady was sent
  bool ended_ = false;
  loop::Timer timer_; // the next unit is due, or something has come
  bool looks_soon_ = false;
};

} // namespace sluice::hls
