#include "workers/hls/source/source.h"

#include "common/base/log.h"
#include "common/http/uri.h"
#include "workers/hls/playlist/variant_choice.h"

#include <algorithm>

namespace sluice::hls {

Result<std::unique_ptr<worker::Source>> Source::create(worker::Server &server, const control::StartSource &start,
                                                       const std::vector<Fd> &fds) {
  // Redirects and playlists may lead to servers over TLS from one that is not, if there is what to verify them with.
  bool verifies = start.url.starts_with("https://") || !start.fingerprint.empty() || !fds.empty();
  auto target = TRY(server.sources().target_of(start, fds, {}, verifies));
  auto client = TRY(HttpClient::create(server.event_loop(), {.url = start.url,
                                                             .addresses = std::move(target.addresses),
                                                             .tls = std::move(target.tls),
                                                             .connect_timeout_ns = server.settings().read_timeout_ns}));
  if (!server.has_descriptors(HttpClient::kDescriptors)) return Error{"no descriptors left"};
  worker::Sources::Records records = TRY(server.sources().take_records());
  server.allocator().give_back(*records.connection); // libcurl has its own
  return std::make_unique<Source>(server, start, std::move(client), *records.session);
}

Source::Source(worker::Server &server, const control::StartSource &start, std::unique_ptr<HttpClient> client,
               shm::SessionRecord &record)
    : worker::Source(start.source, start.path), server_(server), record_(record), client_(std::move(client)),
      first_(*client_, *this), timer_(server.event_loop(), *this) {
  for (shm::MediaSocket &socket : record_.sockets) socket.fd = -1;
  server_.count_descriptors(HttpClient::kDescriptors);
}

Source::~Source() {
  server_.count_descriptors(-HttpClient::kDescriptors);
  publisher_.reset();
  server_.release(record_, path());
  server_.allocator().give_back(record_);
}

// --- the first playlist ---

void Source::begin() {
  first_.start({.url = client_->url(), .range = {}, .max_bytes = kMaxPlaylist, .compressed = true}, now());
}

bool Source::on_data(Download &, Bytes data) {
  on_received(data.size());
  first_text_.append(as_text(data));
  return true;
}

void Source::on_done(Download &, Result<void> result) {
  server_.note_blame(record_.id);
  if (!result) return fail("playlist: " + result.error().message);
  auto playlist = parse_playlist(first_text_);
  first_text_ = std::string();
  if (!playlist) return fail("playlist: " + playlist.error().message);
  on_first_playlist(std::move(*playlist));
}

void Source::on_first_playlist(SourcePlaylist playlist) {
  std::string base = first_.effective_url();
  if (auto *media = std::get_if<SourceMedia>(&playlist)) {
    buffer_ = std::make_unique<MediaBuffer>(1);
    add_rendition(client_->url());
    renditions_[0]->begin(std::move(*media), std::move(base));
    return;
  }
  if (auto chosen = choose(std::get<SourceMultivariant>(playlist), base); !chosen) return fail(chosen.error().message);
  for (size_t i = 0; i < renditions_.size() && !ended_; i++) renditions_[i]->begin();
}

Result<void> Source::choose(const SourceMultivariant &playlist, const std::string &base) {
  VariantChoice choice = TRY(choose_variant(playlist));
  std::vector<std::string> urls{TRY(http::resolve_reference(base, playlist.variants[choice.variant].uri))};
  // Of an audio-only variant the rendition may be the same playlist.
  if (choice.audio) {
    std::string audio = TRY(http::resolve_reference(base, playlist.audio[*choice.audio].uri));
    if (audio != urls[0]) urls.push_back(std::move(audio));
  }
  for (const std::string &url : urls)
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return Error{"the playlist refers to what is not on the web"};
  buffer_ = std::make_unique<MediaBuffer>(urls.size());
  for (std::string &url : urls) add_rendition(std::move(url));
  return {};
}

void Source::add_rendition(std::string url) {
  size_t index = renditions_.size();
  Rendition::Place place{*buffer_, index, index == 0 ? "media playlist" : "audio playlist"};
  renditions_.push_back(std::make_unique<Rendition>(server_.event_loop(), *client_, *this, place, std::move(url)));
}

// --- media ---

void Source::on_received(size_t bytes) {
  record_.bytes_in.fetch_add(bytes, std::memory_order_relaxed);
  record_.last_active_ns.store(now(), std::memory_order_relaxed);
  look_soon();
}

// The timer is set to when the next unit is due, if there is one; what comes first may be due before.
void Source::look_soon() {
  if (std::exchange(looks_soon_, true)) return;
  timer_.start(kMillisecond);
}

void Source::on_ahead(Rendition &rendition, Nanoseconds ahead) {
  if (&rendition != renditions_[0].get() || !rendition.live()) return;
  Nanoseconds held = rendition.hold_back();
  pacer_.on_ahead(ahead, held, now());
}

void Source::on_timer(loop::Timer &) {
  looks_soon_ = false;
  if (ended_ || !buffer_) return;
  server_.note_blame(record_.id);
  if (publisher_ != nullptr) return play();
  settle();
}

void Source::settle() {
  if (asked_ || !buffer_->settle(buffer_->full())) return;
  asked_ = true;
  server_.supervisor().send(control::SourceReady{.request = server_.sources().request_of(*this),
                                                 .source = id(),
                                                 .description = description_of(buffer_->tracks())});
}

void Source::on_granted(const control::PublishGranted &granted, const std::vector<Fd> &rings) {
  if (ended_ || publisher_ != nullptr) return;
  record_.stream = granted.stream;
  auto publisher = Publisher::create(server_, *this, granted, rings, buffer_->tracks());
  if (!publisher) return fail(publisher.error().message);
  publisher_ = std::move(*publisher);
  buffer_->begin_together();
  look_soon();
}

void Source::play() {
  Nanoseconds begin = now(), wall = wall_now();
  while (auto track = buffer_->next()) {
    Nanoseconds time = buffer_->front(*track).dts_ns;
    if (!pacer_.started()) {
      pacer_.start(time, begin);
      publisher_->set_begin(time);
    }
    Nanoseconds due = pacer_.due(time);
    if (due > begin) {
      timer_.start(due - begin);
      break;
    }
    if (publisher_->publication().congested(begin)) break; // until on_uncongested()
    pacer_.on_sent(time, begin);
    record_.packets_in.fetch_add(1, std::memory_order_relaxed);
    if (auto sent = publisher_->push(*track, buffer_->take(*track), begin, wall); !sent)
      return fail(sent.error().message);
  }
  publisher_->commit(begin);
  for (size_t i = 0; i < renditions_.size() && !ended_; i++) renditions_[i]->advance();
  if (!ended_ && buffer_->empty() && finished()) fail("the playlist has come to its end");
}

bool Source::finished() const {
  return std::all_of(renditions_.begin(), renditions_.end(), [](const auto &one) { return one->finished(); });
}

// --- time ---

void Source::on_second(Nanoseconds now) {
  Nanoseconds timeout = server_.settings().read_timeout_ns;
  if (first_.silence(now) > timeout) return fail("playlist: the server does not answer");
  for (size_t i = 0; i < renditions_.size() && !ended_; i++) renditions_[i]->on_second(now, timeout);
  if (!ended_ && publisher_ != nullptr) publisher_->on_second(now);
}

// --- the end ---

void Source::fail(const std::string &reason) {
  if (ended_) return;
  publisher_.reset(); // before another may be granted the ring
  server_.supervisor().send(control::SourceFailed{.source = id(), .reason = reason});
  end();
}

void Source::stop() {
  if (ended_) return;
  publisher_.reset();
  end();
}

void Source::end() {
  ended_ = true;
  first_.cancel();
  for (auto &rendition : renditions_) rendition->stop();
  timer_.stop();
  server_.sources().let_go(*this);
  server_.sources().retire(*this);
}

} // namespace sluice::hls
