#include "workers/hls/muxer.h"

#include "common/base/log.h"
#include "workers/hls/server.h"

#include <algorithm>
#include <limits>

namespace sluice::hls {
namespace {

Variant variant_of(control::HlsVariant variant) {
  return static_cast<Variant>(variant); // in the same order
}
static_assert(static_cast<int>(Variant::LowLatency) == static_cast<int>(control::HlsVariant::LowLatency));

SegmentLogSettings log_settings(const control::HlsSettings &settings) {
  return {variant_of(settings.variant), settings.segment_count, settings.segment_duration_ns};
}

SegmenterSettings segmenter_settings(const control::HlsSettings &settings) {
  return {variant_of(settings.variant), settings.segment_duration_ns, settings.part_duration_ns,
          settings.segment_max_bytes};
}

// The first track of video and the first of audio that the variant can have.
std::vector<uint8_t> select_tracks(const media::StreamDescription &description, Variant variant) {
  std::optional<uint8_t> video, audio;
  for (uint8_t i = 0; i < description.tracks.size(); i++) {
    const media::Track &track = description.tracks[i];
    if (!can_mux(variant, track.codec)) continue;
    std::optional<uint8_t> &first = track.kind == media::MediaKind::Video ? video : audio;
    if (!first && track.kind != media::MediaKind::Application) first = i;
  }
  std::vector<uint8_t> selected;
  if (video) selected.push_back(*video);
  if (audio) selected.push_back(*audio);
  return selected;
}

} // namespace

Muxer::Muxer(Server &server, shm::SessionRecord &record, const control::StartMuxer &message, store::StoreWriter store)
    : server_(server), record_(record), id_(message.muxer), path_(message.path),
      log_(std::move(store), log_settings(server.settings().hls), *this), ring_(server.streams(), *this) {}

Muxer::~Muxer() {
  server_.allocator().give_back(record_);
}

// --- its stream ---

void Muxer::ask() {
  control::Read read;
  read.request = server_.ask(*this);
  read.session = session();
  read.log_id = record_.log_id;
  read.path = path_;
  server_.supervisor().send(read);
}

void Muxer::on_answer(control::Received &received) {
  if (closed_) return;
  if (const auto *refused = std::get_if<control::Refused>(&received.message))
    return fail(refused->refusal, refused->reason);
  const auto *granted = std::get_if<control::ReadGranted>(&received.message);
  if (granted == nullptr || received.descriptors.size() != 1)
    return fail(control::Refusal::BadRequest, "the stream can't be read");
  if (auto done = set_up(*granted, received.descriptors[0].get()); !done)
    fail(control::Refusal::BadRequest, done.error().message);
}

Result<void> Muxer::set_up(const control::ReadGranted &granted, int ring_fd) {
  record_.stream = granted.stream;
  stream_ = TRY(server_.streams().enter(granted.stream, ring_fd));
  auto description = stream_->newest().reader().description();
  if (!description) return Error{"the stream's description can't be read"};
  TRY(set_up_tracks(*description));
  worker::Start begin = stream_->start(true); // with a picture at once
  std::optional<SegmenterState> state = log_.predecessor();
  const ring::RingReader &ring = begin.generation->reader();
  bool goes_on = state && state->source >= ring.oldest() && state->source <= ring.head();
  std::vector<SegmenterTrack> tracks;
  for (const Track &track : tracks_) tracks.push_back({track.track, track.depacketizer->sets()});
  SegmenterSettings settings = segmenter_settings(server_.settings().hls);
  Result<Segmenter> made = Error{"the ring has moved on"};
  if (goes_on) made = Segmenter::create(settings, tracks, &*state);
  if (made) {
    begin.cursor = state->source;
  } else {
    log_.set_wall_offset(0);
    state = log_.state_after_break();
    made = TRY(Segmenter::create(settings, tracks, state ? &*state : nullptr));
  }
  segmenter_ = std::move(*made);
  reading_ = true;
  stream_->add(*this, begin);
  server_.streams().schedule_round(stream_->id());
  server_.end_turn_soon();
  return {};
}

Result<void> Muxer::set_up_tracks(const media::StreamDescription &description) {
  Variant variant = variant_of(server_.settings().hls.variant);
  std::vector<uint8_t> selected = select_tracks(description, variant);
  if (selected.empty())
    return Error{
        variant == Variant::MpegTs
            ? "the stream has no track that MPEG-TS can carry: H264, AAC, MP3 or AC-3"
            : "the stream has no track that HLS can carry: H264, H265, AV1, VP9, AAC, Opus, MP3, AC-3 or FLAC"};
  for (uint8_t index : selected) {
    Track &track = tracks_.emplace_back();
    track.index = index;
    track.track = description.tracks[index];
    track.depacketizer = std::make_unique<rtp::Depacketizer>(TRY(rtp::Depacketizer::create(track.track)));
  }
  for (Track &track : tracks_) by_index_[track.index] = &track;
  if (size_t left_out = description.tracks.size() - selected.size(); left_out > 0)
    log(LogLevel::Info, "[HLS] [muxer {}] {} of the stream's {} tracks {} left out", path_, left_out,
        description.tracks.size(), left_out == 1 ? "is" : "are");
  return {};
}

void Muxer::on_kick() {
  if (closed_) return;
  if (segmenter_ && !log_.error()) {
    segmenter_->flush(log_);
    log_.end();
  }
  fail(control::Refusal::NoPublisher, "the stream has ended");
}

void Muxer::fail(control::Refusal refusal, std::string reason) {
  close(control::MuxerEnded{.muxer = id_, .refusal = refusal, .reason = std::move(reason)});
}

void Muxer::close(std::optional<control::MuxerEnded> ended) {
  if (std::exchange(closed_, true)) return;
  if (std::exchange(reading_, false)) stream_->remove(*this);
  if (stream_ != nullptr) server_.streams().leave(*std::exchange(stream_, nullptr));
  server_.release(record_, path_);
  if (ended) server_.supervisor().send(*ended);
  server_.retire(*this);
}

// --- the ring ---

void Muxer::serve() {
  look_at_description();
  ring_.read(*stream_);
  if (!closed_ && log_.error()) fail(control::Refusal::Unavailable, "muxer error: " + log_.error()->message);
}

// A unit without a marker comes with the first packet of the next one, so its begin is remembered until then.
void Muxer::on_packet(const ring::EntryInfo &entry, Bytes packet) {
  Track &track = *by_index_[entry.track];
  current_ = static_cast<size_t>(&track - tracks_.data());
  bool first = (entry.flags & ring::kFirstOfAccessUnit) != 0;
  if (!track.begin) track.begin = ring_.cursor();
  segmenter_->set_wall_offset(wall_offset(entry));
  track.depacketizer->push(packet,
                           {.pts_ns = entry.pts_ns,
                            .dts_ns = entry.dts_ns,
                            .first_of_access_unit = first,
                            .random_access = (entry.flags & ring::kRandomAccess) != 0},
                           *this);
  if (first) track.begin = ring_.cursor();
  if ((entry.flags & ring::kMarker) != 0) track.begin.reset();
}

// The stream's time and the wall clock are put together once, so that segments' dates do not shake with the network.
Nanoseconds Muxer::wall_offset(const ring::EntryInfo &entry) {
  if (log_.wall_offset() == 0)
    log_.set_wall_offset(wall_now() - server_.event_loop().now() + entry.arrival_ns - entry.dts_ns);
  return log_.wall_offset();
}

void Muxer::on_gap(uint64_t lost_entries) {
  record_.dropped.fetch_add(lost_entries, std::memory_order_relaxed);
  for (Track &track : tracks_) {
    track.depacketizer->reset();
    track.begin.reset();
  }
  segmenter_->discontinue(log_);
  log_.set_wall_offset(0);
}

// A publisher may go on with other parameters that its packets do not carry: those of audio.
void Muxer::look_at_description() {
  auto description = ring_.changed_description();
  if (!description) return;
  for (size_t i = 0; i < tracks_.size(); i++) {
    Track &track = tracks_[i];
    if (track.index >= description->tracks.size()) continue;
    const media::Track &now = description->tracks[track.index];
    if (now == track.track || now.codec != track.track.codec) continue;
    track.track = now;
    segmenter_->set_description(i, now);
    if (now.kind == media::MediaKind::Video) continue; // its packets carry them
    auto depacketizer = rtp::Depacketizer::create(now);
    if (depacketizer)
      *track.depacketizer = std::move(*depacketizer);
    else
      log(LogLevel::Warn, "[HLS] [muxer {}] changed parameters of a track can't be used: {}", path_,
          depacketizer.error().message);
  }
}

// --- segments ---

void Muxer::on_configuration(const media::ParameterSets &sets) {
  segmenter_->set_parameters(current_, sets);
}

// What it comes from: the earliest entry that a successor needs to make the same of what follows.
uint64_t Muxer::source() const {
  uint64_t source = ring_.cursor();
  for (const Track &track : tracks_)
    if (track.begin) source = std::min(source, *track.begin);
  return source;
}

void Muxer::on_access_unit(const rtp::AccessUnit &unit) {
  if (closed_) return;
  auto pushed = segmenter_->push(current_, unit, source(), log_);
  if (!pushed) fail(control::Refusal::Unavailable, "muxer error: " + pushed.error().message);
}

Segmenter::Facts Muxer::facts() const {
  return segmenter_ ? segmenter_->facts() : Segmenter::Facts();
}

void Muxer::on_published() {
  server_.on_published(log_.store());
  if (std::exchange(ready_, true)) return;
  server_.supervisor().send(control::MuxerReady{id_});
}

} // namespace sluice::hls
