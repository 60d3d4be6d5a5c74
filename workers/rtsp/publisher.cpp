#include "workers/rtsp/publisher.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "workers/rtsp/sender_state.h"
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
  if (rings.empty()) return Error{"a grant without a ring"};
  shm::Mapping mapping = TRY(shm::Mapping::map_ring(rings[0].get(), shm::Access::ReadWrite));
  auto resumed = ring::RingWriter::resume(mapping.writable());
  shm::Mapping former; // of a predecessor that died before it continued in the newest generation
  if (!resumed && rings.size() > 1) {
    former = TRY(shm::Mapping::map_ring(rings[1].get(), shm::Access::ReadWrite));
    ring::RingWriter old = TRY(ring::RingWriter::resume(former.writable()));
    resumed = ring::RingWriter::continue_from(mapping.writable(), old);
  }
  ring::RingWriter writer = TRY(std::move(resumed));
  return std::unique_ptr<Publisher>(
      new Publisher(server, listener, granted, std::move(mapping), std::move(writer), description));
}

Publisher::Publisher(Server &server, Listener &listener, control::PublishGranted granted, shm::Mapping mapping,
                     ring::RingWriter writer, media::StreamDescription description)
    : server_(server), listener_(listener), granted_(std::move(granted)), mapping_(std::move(mapping)),
      writer_(std::move(writer)), description_(std::move(description)), hold_timer_(server.event_loop(), *this),
      deadline_timer_(server.event_loop(), *this), growth_timer_(server.event_loop(), *this),
      own_ssrc_(static_cast<uint32_t>(secure_random())) {
  tracks_.resize(description_.tracks.size());
  has_video_ = std::any_of(description_.tracks.begin(), description_.tracks.end(),
                           [](const media::Track &track) { return track.kind == media::MediaKind::Video; });
  if (granted_.continues) continue_tracks();
}

void Publisher::continue_tracks() {
  auto newest = writer_.newest_media();
  for (size_t i = 0; i < tracks_.size(); i++) {
    ring::TrackState state = writer_.track_state(i);
    if (!state.has_traffic) continue;
    Nanoseconds last_arrival = newest ? newest->arrival_ns : server_.event_loop().now();
    tracks_[i].continuation.emplace(from_ring(state), description_.tracks[i].clock_rate, last_arrival);
  }
  if (auto set = writer_.set_description(description_); !set)
    log(LogLevel::Warn, "[RTSP] the description of a stream can't be renewed: {}", set.error().message);
}

Publisher::~Publisher() {
  if (recording_) stop();
  if (ends_ring_) writer_.end();
  wake_readers();
}

void Publisher::start(bool over_udp) {
  // The ring's time goes on, also after a pause and where another publisher left it.
  Nanoseconds start_pts = 0, now = server_.event_loop().now();
  if (auto newest = writer_.newest_media())
    start_pts = newest->pts_ns + std::max<Nanoseconds>(0, now - newest->arrival_ns);
  writer_.forget_random_access(); // readers that begin before the break would be late by it for good
  for (size_t i = 0; i < tracks_.size(); i++)
    tracks_[i].receiver = std::make_unique<rtp::TrackReceiver>(description_.tracks[i], over_udp, start_pts);
  recording_ = true;
  next_report_ns_ = server_.event_loop().now() + kSecond;
}

void Publisher::stop() {
  recording_ = false;
  commit(input_position_, server_.event_loop().now());
  wake_readers();
  hold_timer_.stop();
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
  if (!granted_.absolute_time) return result;
  input.touched = true;
  if (!known && input.receiver->sender_state().has_publisher_clock) next_report_ns_ = now; // readers have the server's
  return result;
}

void Publisher::on_packet(Bytes packet, const rtp::PacketFacts &facts) {
  bool video = description_.tracks[current_track_].kind == media::MediaKind::Video;
  bool flush = facts.ends_access_unit && (video || !has_video_);
  uint16_t flags = 0;
  if (facts.marker) flags |= ring::kMarker;
  if (facts.first_of_access_unit) flags |= ring::kFirstOfAccessUnit;
  if (facts.random_access && (video || !has_video_)) flags |= ring::kRandomAccess;
  if (flush) flags |= ring::kFlush;
  flush_staged_ = flush_staged_ || flush;
  ring::EntryMeta meta{.track = current_track_,
                       .flags = flags,
                       .pts_ns = facts.pts_ns,
                       .dts_ns = facts.dts_ns,
                       .arrival_ns = facts.arrival_ns};
  TrackInput &track = tracks_[current_track_];
  track.touched = true;
  if (!track.continuation) return append(meta, packet);
  auto header = track.continuation->header(packet, facts.arrival_ns);
  append(meta, header, packet.subspan(header.size()));
}

void Publisher::append(ring::EntryMeta meta, Bytes packet, Bytes rest) {
  last_arrival_ns_ = meta.arrival_ns = std::max(meta.arrival_ns, last_arrival_ns_); // tracks are reordered apart
  if (writer_.append(meta, packet, rest)) return;
  writer_.commit(input_position_); // the batch was half a ring
  news_ = true;
  wake_readers();
  if (!writer_.append(meta, packet, rest))
    log(LogLevel::Error, "[RTSP] packet of {} bytes fits no ring", packet.size() + rest.size());
}

void Publisher::commit(uint64_t input_position, Nanoseconds now) {
  input_position_ = input_position;
  for (size_t i = 0; i < tracks_.size(); i++) {
    if (!tracks_[i].touched) continue;
    tracks_[i].touched = false;
    const rtp::TrackReceiver &receiver = *tracks_[i].receiver;
    writer_.set_track_state(i, to_ring(sender_state(i), receiver.statistics().lost));
  }
  bool staged = writer_.staged_entries() > 0;
  writer_.commit(input_position);
  watch_deadlines(now);
  if (!staged) return;
  news_ = true;
  bool flush = std::exchange(flush_staged_, false);
  Nanoseconds delay = flush ? granted_.merge_ns : std::max(granted_.merge_ns, granted_.coalesce_ns);
  if (delay == 0)
    wake_readers();
  else if (!hold_timer_.active())
    hold_timer_.start(delay);
  ask_for_room(now);
  update_description();
}

void Publisher::wake_readers() {
  hold_timer_.stop();
  if (!std::exchange(news_, false)) return;
  server_.ring_doorbells(writer_.subscribers(), writer_.ring_index(), granted_.stream);
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

void Publisher::on_timer(loop::Timer &timer) {
  Nanoseconds now = server_.event_loop().now();
  if (&timer == &hold_timer_) {
    wake_readers();
    return server_.end_turn_soon();
  }
  if (&timer == &growth_timer_) {
    if (!congested(now)) {
      growth_timer_.stop();
      listener_.on_uncongested();
    }
    return;
  }
  for (size_t i = 0; i < tracks_.size(); i++) {
    current_track_ = static_cast<uint8_t>(i);
    tracks_[i].receiver->on_timer(now, *this);
  }
  commit(input_position_, now);
}

// --- size of the ring ---

void Publisher::ask_for_room(Nanoseconds now) {
  if (now < ask_again_ns_ || (asked_for_room_ns_ != 0 && now - asked_for_room_ns_ < kGrowthPatience)) return;
  uint64_t wanted = writer_.wanted_bytes(now, granted_.max_ring_bytes);
  asked_for_room_ns_ = wanted == 0 ? 0 : now;
  if (wanted != 0) server_.supervisor().send(control::RingTooSmall{.stream = granted_.stream, .wanted_bytes = wanted});
}

// Readers that fall behind lose what the ring can't hold; the publisher is not slowed down for them.
void Publisher::keep_ring() {
  asked_for_room_ns_ = 0;
  ask_again_ns_ = server_.event_loop().now() + kGrowthPause;
}

bool Publisher::congested(Nanoseconds now) {
  if (asked_for_room_ns_ == 0 || now - asked_for_room_ns_ >= kGrowthPatience) return false;
  if (!writer_.would_overwrite_younger_than(now, kYoung, kMaxInputBytes)) return false;
  if (!growth_timer_.active()) growth_timer_.start(5 * kMillisecond, 5 * kMillisecond);
  return true;
}

void Publisher::replace_ring(int fd) {
  auto mapping = shm::Mapping::map_ring(fd, shm::Access::ReadWrite);
  if (!mapping) return log(LogLevel::Error, "[RTSP] larger ring can't be used: {}", mapping.error().message);
  writer_.commit(input_position_);
  auto next = ring::RingWriter::continue_from(mapping->writable(), writer_);
  if (!next) return log(LogLevel::Error, "[RTSP] larger ring can't be used: {}", next.error().message);
  writer_ = std::move(*next);
  mapping_ = std::move(*mapping);
  asked_for_room_ns_ = 0;
  news_ = true;
  wake_readers();
}

void Publisher::change_settings(const control::StreamSettings &settings) {
  granted_.coalesce_ns = settings.coalesce_ns;
  granted_.merge_ns = settings.merge_ns;
  if (std::exchange(granted_.absolute_time, settings.absolute_time) == settings.absolute_time || !recording_) return;
  Nanoseconds now = server_.event_loop().now();
  next_report_ns_ = now;
  for (TrackInput &track : tracks_) track.touched = true;
  commit(input_position_, now);
}

// --- reports ---

void Publisher::on_second(Nanoseconds now) {
  if (!recording_ || now < next_report_ns_) return;
  next_report_ns_ = now + kReportInterval;
  send_reports(now);
}

rtp::SenderState Publisher::sender_state(size_t track) const {
  rtp::SenderState state = tracks_[track].receiver->sender_state();
  if (const auto &continuation = tracks_[track].continuation) state = continuation->state(state);
  state.has_publisher_clock = state.has_publisher_clock && granted_.absolute_time;
  return state;
}

void Publisher::send_reports(Nanoseconds now) {
  Nanoseconds wall = wall_now();
  for (size_t i = 0; i < tracks_.size(); i++) {
    rtp::TrackReceiver &receiver = *tracks_[i].receiver;
    auto report = rtp::sender_report(sender_state(i), description_.tracks[i].clock_rate, now, wall);
    if (report) {
      rtp::RtcpPacket packet = rtp::make_sender_report(*report, kCname);
      append({.track = static_cast<uint8_t>(i), .flags = ring::kRtcp, .pts_ns = 0, .dts_ns = 0, .arrival_ns = now},
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
  if (!changed) return;
  if (auto set = writer_.set_description(description_); !set)
    return log(LogLevel::Warn, "[RTSP] new parameter sets can't be announced: {}", set.error().message);
  server_.supervisor().send(control::DescriptionChanged{.stream = granted_.stream, .description = description_});
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

} // namespace sluice::rtsp
