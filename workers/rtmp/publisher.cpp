#include "workers/rtmp/publisher.h"

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/rtp/sender_report.h"
#include "workers/base/packet_entry.h"
#include "workers/base/sender_state.h"
#include "workers/rtmp/server.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtmp {
namespace {

constexpr std::string_view kCname = "sluice";

// What a message takes of a ring as packets, at most about.
uint64_t ring_bytes(size_t message_bytes) {
  return message_bytes + message_bytes / 16 + 4096;
}

rtp::Packetizer::Start random_start() {
  uint64_t random = secure_random();
  return {.ssrc = static_cast<uint32_t>(random),
          .sequence = static_cast<uint16_t>(random >> 32),
          .timestamp = static_cast<uint32_t>(secure_random())};
}

} // namespace

media::StreamDescription description_of(const std::vector<TrackFinder::Found> &tracks) {
  media::StreamDescription description;
  for (const TrackFinder::Found &found : tracks) description.tracks.push_back(found.facts.track);
  return description;
}

Result<std::unique_ptr<Publisher>> Publisher::create(Server &server, Listener &listener,
                                                     const control::PublishGranted &granted,
                                                     const std::vector<Fd> &rings,
                                                     std::vector<TrackFinder::Found> tracks) {
  std::unique_ptr<Publisher> publisher(new Publisher(server, listener));
  publisher->publication_ = TRY(worker::Publication::create(server, *publisher, granted, rings));
  TRY(publisher->set_up(std::move(tracks), granted.continues));
  return publisher;
}

// In the middle of an input too: what came of it before is whole.
Publisher::~Publisher() {
  if (timeline_)
    for (const Held &held : held_)
      if (!publish(held.message.message(), held.now, held.wall)) break;
  if (publication_) commit(publication_->input_position(), server_.event_loop().now());
}

Result<void> Publisher::set_up(std::vector<TrackFinder::Found> tracks, bool continues) {
  const ring::RingWriter &writer = publication_->writer();
  auto newest = writer.newest_media();
  Nanoseconds now = server_.event_loop().now();
  for (TrackFinder::Found &found : tracks) {
    has_video_ = has_video_ || found.kind == media::MediaKind::Video;
    rtp::Packetizer packetizer = TRY(rtp::Packetizer::create(found.facts.track, random_start()));
    packetizer.set_configuration(found.facts.configuration);
    Track &track = tracks_.emplace_back(std::move(found), std::move(packetizer));
    if (!continues) continue;
    ring::TrackState state = writer.track_state(tracks_.size() - 1);
    if (state.has_traffic)
      track.continuation.emplace(worker::from_ring(state), track.facts.track.clock_rate,
                                 newest ? newest->arrival_ns : now);
  }
  if (continues) announce();
  timeline_.emplace(publication_->resume_time());
  next_report_ns_ = now + kSecond;
  return {};
}

void Publisher::announce() {
  media::StreamDescription description;
  for (const Track &track : tracks_) description.tracks.push_back(track.facts.track);
  publication_->set_description(description, true);
}

// --- messages ---

Publisher::Track *Publisher::find(const MediaTag &tag) {
  auto same = [&tag](const Track &track) { return track.kind == tag.media && track.track_id == tag.track_id; };
  auto found = std::find_if(tracks_.begin(), tracks_.end(), same);
  return found == tracks_.end() ? nullptr : &*found;
}

Result<void> Publisher::on_media(const MediaMessage &message, Nanoseconds now, Nanoseconds wall) {
  if (message.type == MessageType::DataAmf0) return {};
  if (!failure_.empty()) return Error{failure_};
  if (!holds() && publication_->has_room_for(ring_bytes(message.payload.size()), now))
    return publish(message, now, wall);
  held_.push_back({HeldMessage(message), now, wall});
  return {};
}

void Publisher::on_uncongested() {
  Nanoseconds now = server_.event_loop().now();
  while (holds() && failure_.empty()) {
    Held &held = held_.front();
    if (!publication_->has_room_for(ring_bytes(held.message.payload.size()), now)) break;
    auto published = publish(held.message.message(), held.now, held.wall);
    if (!published) failure_ = published.error().message;
    held_.pop_front();
  }
  if (!failure_.empty()) held_.clear();
  commit(publication_->input_position(), now);
  if (!holds()) listener_.on_uncongested();
}

Result<void> Publisher::publish(const MediaMessage &message, Nanoseconds now, Nanoseconds wall) {
  if (message.type == MessageType::Video)
    TRY(parse_video_tag(message.payload, tags_));
  else
    TRY(parse_audio_tag(message.payload, tags_));
  if (tags_.empty()) return {};
  Nanoseconds ring_time = timeline_->ring_time(message.timestamp_ms, now);
  for (const MediaTag &tag : tags_) TRY(on_tag(tag, ring_time + tag.nanoseconds, now, wall));
  return {};
}

Result<void> Publisher::on_tag(const MediaTag &tag, Nanoseconds ring_time, Nanoseconds now, Nanoseconds wall) {
  if (tag.kind != TagKind::Configuration && tag.kind != TagKind::Frame) return {};
  Track *track = find(tag);
  if (track == nullptr) {
    if (!std::exchange(foreign_noted_, true))
      log(LogLevel::Warn, "[RTMP] messages of a {} track are dropped that came later than the others",
          tag.media == media::MediaKind::Video ? "video" : "audio");
    return {};
  }
  if (tag.codec != track->facts.track.codec)
    return Error{fmt::format("the codec of a track has changed to {}", codec_name(tag))};
  current_ = static_cast<size_t>(track - tracks_.data());
  return tag.kind == TagKind::Configuration ? on_configuration(*track, tag)
                                            : on_frame(*track, tag, ring_time, now, wall);
}

// Packets of the new one follow in order: parameter sets go along with the next picture that decoding can start with.
Result<void> Publisher::on_configuration(Track &track, const MediaTag &tag) {
  TrackFacts facts = TRY(describe_track(tag));
  facts.track.payload_type = track.facts.track.payload_type;
  facts.track.clock_rate = track.facts.track.clock_rate; // of the RTP stream, which goes on
  bool changed = facts.track != track.facts.track || facts.configuration != track.facts.configuration;
  track.facts = std::move(facts);
  if (!changed) return {};
  track.packetizer.set_configuration(track.facts.configuration);
  announce();
  return {};
}

Result<void> Publisher::on_frame(Track &track, const MediaTag &tag, Nanoseconds ring_time, Nanoseconds now,
                                 Nanoseconds wall) {
  TRY(split_units(tag.codec, track.facts.length_size, tag.body, units_));
  if (units_.empty()) return {};
  rtp::Frame frame{.units = units_,
                   .pts_ns = ring_time + tag.composition_time_ms * kMillisecond,
                   .dts_ns = ring_time,
                   .random_access = is_random_access(tag, units_),
                   .arrival_ns = now,
                   .wall_ns = wall};
  return track.packetizer.push(frame, *this);
}

void Publisher::on_packet(Bytes packet, const rtp::PacketFacts &facts) {
  Track &track = tracks_[current_];
  track.touched = true;
  bool video = track.kind == media::MediaKind::Video;
  ring::EntryMeta meta = worker::entry_of(facts, static_cast<uint8_t>(current_), video || !has_video_);
  if (!track.continuation) return publication_->append(meta, packet);
  auto header = track.continuation->header(packet, facts.arrival_ns);
  publication_->append(meta, header, packet.subspan(header.size()));
}

void Publisher::commit(uint64_t input_position, Nanoseconds now) {
  for (size_t i = 0; i < tracks_.size(); i++)
    if (std::exchange(tracks_[i].touched, false))
      publication_->set_track_state(i, worker::to_ring(sender_state(tracks_[i]), 0));
  publication_->commit(input_position, now);
}

// --- reports, for readers over RTSP ---

rtp::SenderState Publisher::sender_state(const Track &track) const {
  rtp::SenderState state = track.packetizer.sender_state();
  return track.continuation ? track.continuation->state(state) : state;
}

void Publisher::on_second(Nanoseconds now) {
  if (now < next_report_ns_) return;
  next_report_ns_ = now + kReportInterval;
  Nanoseconds wall = wall_now();
  for (size_t i = 0; i < tracks_.size(); i++) {
    auto report = rtp::sender_report(sender_state(tracks_[i]), tracks_[i].facts.track.clock_rate, now, wall);
    if (!report) continue;
    rtp::RtcpPacket packet = rtp::make_sender_report(*report, kCname);
    publication_->append(
        {.track = static_cast<uint8_t>(i), .flags = ring::kRtcp, .pts_ns = 0, .dts_ns = 0, .arrival_ns = now},
        packet.bytes());
  }
  publication_->commit(now);
}

} // namespace sluice::rtmp
