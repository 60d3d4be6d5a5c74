#include "workers/rtsp/publisher.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "workers/base/packet_entry.h"
#include "workers/base/sender_state.h"
#include "workers/rtsp/server.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr std::string_view kCname = "sluice";

} // namespace

Result<std::unique_ptr<Publisher>> Publisher::create(Server &server, Listener &listener,
                                                     const control::PublishGranted &granted,
                                                     const std::vector<Fd> &rings,
                                                     const media::StreamDescription &description) {
  std::unique_ptr<Publisher> publisher(new Publisher(server, listener, description));
  publisher->publication_ = TRY(worker::Publication::create(server, *publisher, granted, rings));
  if (granted.continues) publisher->continue_tracks();
  return publisher;
}

Publisher::Publisher(Server &server, Listener &listener, media::StreamDescription description)
    : server_(server), listener_(listener), description_(std::move(description)),
      deadline_timer_(server.event_loop(), *this), own_ssrc_(static_cast<uint32_t>(secure_random())) {
  tracks_.resize(description_.tracks.size());
  has_video_ = std::any_of(description_.tracks.begin(), description_.tracks.end(),
                           [](const media::Track &track) { return track.kind == media::MediaKind::Video; });
}

void Publisher::continue_tracks() {
  const ring::RingWriter &writer = publication_->writer();
  auto newest = writer.newest_media();
  for (size_t i = 0; i < tracks_.size(); i++) {
    ring::TrackState state = writer.track_state(i);
    if (!state.has_traffic) continue;
    Nanoseconds last_arrival = newest ? newest->arrival_ns : server_.event_loop().now();
    tracks_[i].continuation.emplace(worker::from_ring(state), description_.tracks[i].clock_rate, last_arrival);
  }
  publication_->set_description(description_, false);
}

Publisher::~Publisher() {
  if (recording_) stop();
}

void Publisher::start(bool over_udp) {
  Nanoseconds start_pts = publication_->resume_time();
  for (size_t i = 0; i < tracks_.size(); i++)
    tracks_[i].receiver = std::make_unique<rtp::TrackReceiver>(description_.tracks[i], over_udp, start_pts);
  recording_ = true;
  next_report_ns_ = server_.event_loop().now() + kSecond;
}

void Publisher::stop() {
  recording_ = false;
  commit(input_position_, server_.event_loop().now());
  publication_->wake_readers();
  deadline_timer_.stop();
}

Result<void> Publisher::on_rtp(uint32_t track, Bytes packet, Nanoseconds now, Nanoseconds wall) {
  current_track_ = static_cast<uint8_t>(track);
  TRY(tracks_[track].receiver->on_rtp(packet, now, wall, *this));
  return {};
}

Result<void> Publisher::on_rtcp(uint32_t track, Bytes packet, Nanoseconds now) {
  TrackInput &input = tracks_[track];
  bool known = input.receiver->sender_state().has_publisher_clock;
  auto result = input.receiver->on_rtcp(packet, now);
  if (!publication_->absolute_time()) return result;
  input.touched = true;
  if (!known && input.receiver->sender_state().has_publisher_clock) next_report_ns_ = now; // readers have the server's
  return result;
}

void Publisher::on_packet(Bytes packet, const rtp::PacketFacts &facts) {
  bool video = description_.tracks[current_track_].kind == media::MediaKind::Video;
  ring::EntryMeta meta = worker::entry_of(facts, current_track_, video || !has_video_);
  TrackInput &track = tracks_[current_track_];
  track.touched = true;
  if (!track.continuation) return publication_->append(meta, packet);
  auto header = track.continuation->header(packet, facts.arrival_ns);
  publication_->append(meta, header, packet.subspan(header.size()));
}

void Publisher::commit(uint64_t input_position, Nanoseconds now) {
  input_position_ = input_position;
  for (size_t i = 0; i < tracks_.size(); i++) {
    if (!tracks_[i].touched) continue;
    tracks_[i].touched = false;
    const rtp::TrackReceiver &receiver = *tracks_[i].receiver;
    publication_->set_track_state(i, worker::to_ring(sender_state(i), receiver.statistics().lost));
  }
  publication_->commit(input_position, now);
  watch_deadlines(now);
  update_description();
}

void Publisher::watch_deadlines(Nanoseconds now) {
  if (!recording_) return;
  std::optional<Nanoseconds> earliest;
  for (TrackInput &track : tracks_)
    if (auto deadline = track.receiver->deadline()) earliest = std::min(earliest.value_or(*deadline), *deadline);
  if (!earliest)
    deadline_timer_.stop();
  else if (!deadline_timer_.active())
    deadline_timer_.start(std::max<Nanoseconds>(*earliest - now, 0));
}

void Publisher::on_timer(loop::Timer &) {
  Nanoseconds now = server_.event_loop().now();
  for (size_t i = 0; i < tracks_.size(); i++) {
    current_track_ = static_cast<uint8_t>(i);
    tracks_[i].receiver->on_timer(now, *this);
  }
  commit(input_position_, now);
}

// --- reports ---

void Publisher::on_absolute_time_changed() {
  if (!recording_) return;
  Nanoseconds now = server_.event_loop().now();
  next_report_ns_ = now;
  for (TrackInput &track : tracks_) track.touched = true;
  commit(input_position_, now);
}

void Publisher::on_second(Nanoseconds now) {
  if (!recording_ || now < next_report_ns_) return;
  next_report_ns_ = now + kReportInterval;
  send_reports(now);
}

rtp::SenderState Publisher::sender_state(size_t track) const {
  rtp::SenderState state = tracks_[track].receiver->sender_state();
  if (const auto &continuation = tracks_[track].continuation) state = continuation->state(state);
  state.has_publisher_clock = state.has_publisher_clock && publication_->absolute_time();
  return state;
}

void Publisher::send_reports(Nanoseconds now) {
  Nanoseconds wall = wall_now();
  for (size_t i = 0; i < tracks_.size(); i++) {
    rtp::TrackReceiver &receiver = *tracks_[i].receiver;
    auto report = rtp::sender_report(sender_state(i), description_.tracks[i].clock_rate, now, wall);
    if (report) {
      rtp::RtcpPacket packet = rtp::make_sender_report(*report, kCname);
      publication_->append(
          {.track = static_cast<uint8_t>(i), .flags = ring::kRtcp, .pts_ns = 0, .dts_ns = 0, .arrival_ns = now},
          packet.bytes());
    }
    if (auto answer = receiver.receiver_report(now, own_ssrc_))
      listener_.on_receiver_report(static_cast<uint32_t>(i), answer->bytes());
  }
  commit(input_position_, now);
}

void Publisher::update_description() {
  bool changed = false;
  for (size_t i = 0; i < tracks_.size(); i++) {
    if (!tracks_[i].receiver) continue;
    auto updated = tracks_[i].receiver->take_updated_track();
    if (!updated) continue;
    description_.tracks[i] = *updated;
    changed = true;
  }
  if (changed) publication_->set_description(description_, true);
}

std::optional<uint8_t> Publisher::foreign_payload(size_t track) const {
  const auto &receiver = tracks_[track].receiver;
  return receiver ? receiver->statistics().foreign_payload_type : std::nullopt;
}

std::optional<uint32_t> Publisher::ssrc(size_t track) const {
  const auto &receiver = tracks_[track].receiver;
  if (!receiver || !receiver->sender_state().active) return std::nullopt;
  return receiver->sender_state().ssrc;
}

std::string Publisher::statistics_text(size_t track) const {
  if (!tracks_[track].receiver) return "nothing";
  rtp::TrackReceiver::Statistics s = tracks_[track].receiver->statistics();
  return fmt::format("{} received, {} lost, {} late, {} duplicates, {} foreign", s.received, s.lost, s.late,
                     s.duplicates, s.foreign);
}

uint64_t Publisher::lost() const {
  uint64_t sum = 0;
  for (const TrackInput &track : tracks_)
    if (track.receiver) sum += track.receiver->statistics().lost;
  return sum;
}

uint32_t Publisher::jitter_us() const {
  uint64_t most = 0;
  for (size_t i = 0; i < tracks_.size(); i++) {
    if (!tracks_[i].receiver) continue;
    uint64_t jitter = tracks_[i].receiver->statistics().jitter;
    most = std::max(most, jitter * 1'000'000 / description_.tracks[i].clock_rate);
  }
  return static_cast<uint32_t>(std::min<uint64_t>(most, UINT32_MAX));
}

} // namespace sluice::rtsp
