#include "workers/hls/source/publisher.h"

#include "common/base/random.h"
#include "common/rtp/sender_report.h"
#include "workers/base/packet_entry.h"
#include "workers/base/sender_state.h"
#include "workers/base/server.h"

namespace sluice::hls {
namespace {

constexpr std::string_view kCname = "sluice";

rtp::Packetizer::Start random_start() {
  uint64_t random = secure_random();
  return {.ssrc = static_cast<uint32_t>(random),
          .sequence = static_cast<uint16_t>(random >> 32),
          .timestamp = static_cast<uint32_t>(secure_random())};
}

} // namespace

media::StreamDescription description_of(const std::vector<FoundTrack> &tracks) {
  media::StreamDescription description;
  for (const FoundTrack &found : tracks) description.tracks.push_back(found.track);
  return description;
}

Result<std::unique_ptr<Publisher>> Publisher::create(worker::Server &server, Listener &listener,
                                                     const control::PublishGranted &granted,
                                                     const std::vector<Fd> &rings,
                                                     const std::vector<FoundTrack> &tracks) {
  std::unique_ptr<Publisher> publisher(new Publisher(server, listener));
  publisher->publication_ = TRY(worker::Publication::create(server, *publisher, granted, rings));
  publisher->publication_->leave_ring_open(); // the supervisor ends streams; another attempt may continue this one
  TRY(publisher->set_up(tracks, granted.continues));
  return publisher;
}

Publisher::~Publisher() {
  if (publication_) commit(server_.event_loop().now());
}

Result<void> Publisher::set_up(const std::vector<FoundTrack> &tracks, bool continues) {
  const ring::RingWriter &writer = publication_->writer();
  auto newest = writer.newest_media();
  Nanoseconds now = server_.event_loop().now();
  for (const FoundTrack &found : tracks) {
    has_video_ = has_video_ || found.track.kind == media::MediaKind::Video;
    rtp::Packetizer packetizer = TRY(rtp::Packetizer::create(found.track, random_start()));
    packetizer.set_configuration(found.configuration);
    Track &track = tracks_.emplace_back(found, std::move(packetizer));
    if (!continues) continue;
    ring::TrackState state = writer.track_state(tracks_.size() - 1);
    if (state.has_traffic)
      track.continuation.emplace(worker::from_ring(state), found.track.clock_rate, newest ? newest->arrival_ns : now);
  }
  if (continues) announce();
  resume_time_ = publication_->resume_time();
  next_report_ns_ = now + kSecond;
  return {};
}

void Publisher::announce() {
  media::StreamDescription description;
  for (const Track &track : tracks_) description.tracks.push_back(track.found.track);
  publication_->set_description(description, true);
}

// --- media ---

Result<void> Publisher::push(size_t index, BufferedUnit unit, Nanoseconds now, Nanoseconds wall) {
  Track &track = tracks_[index];
  if (unit.change) change(track, std::move(*unit.change));
  units_.clear();
  Bytes rest = unit.data;
  for (size_t size : unit.sizes) {
    units_.push_back(rest.first(size));
    rest = rest.subspan(size);
  }
  rtp::Frame frame{.units = units_,
                   .pts_ns = unit.pts_ns + shift_,
                   .dts_ns = unit.dts_ns + shift_,
                   .random_access = unit.random_access,
                   .arrival_ns = now,
                   .wall_ns = wall};
  current_ = index;
  return track.packetizer.push(frame, *this);
}

// The RTP stream goes on, with the clock and the payload type that it has.
void Publisher::change(Track &track, FoundTrack found) {
  found.track.payload_type = track.found.track.payload_type;
  found.track.clock_rate = track.found.track.clock_rate;
  if (found == track.found) return;
  track.found = std::move(found);
  track.packetizer.set_configuration(track.found.configuration);
  announce();
}

void Publisher::on_packet(Bytes packet, const rtp::PacketFacts &facts) {
  Track &track = tracks_[current_];
  track.touched = true;
  bool video = track.found.track.kind == media::MediaKind::Video;
  ring::EntryMeta meta = worker::entry_of(facts, static_cast<uint8_t>(current_), video || !has_video_);
  if (!track.continuation) return publication_->append(meta, packet);
  auto header = track.continuation->header(packet, facts.arrival_ns);
  publication_->append(meta, header, packet.subspan(header.size()));
}

void Publisher::commit(Nanoseconds now) {
  for (size_t i = 0; i < tracks_.size(); i++)
    if (std::exchange(tracks_[i].touched, false))
      publication_->set_track_state(i, worker::to_ring(sender_state(tracks_[i]), 0));
  publication_->commit(now);
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
    auto report = rtp::sender_report(sender_state(tracks_[i]), tracks_[i].found.track.clock_rate, now, wall);
    if (!report) continue;
    rtp::RtcpPacket packet = rtp::make_sender_report(*report, kCname);
    publication_->append(
        {.track = static_cast<uint8_t>(i), .flags = ring::kRtcp, .pts_ns = 0, .dts_ns = 0, .arrival_ns = now},
        packet.bytes());
  }
  publication_->commit(now);
}

} // namespace sluice::hls
