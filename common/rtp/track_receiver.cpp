#include "common/rtp/track_receiver.h"

#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/nal_unit.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtp {

using media::Codec;
using media::H264Nal;
using media::H265Nal;

namespace {

// RFC 3550 section A.1
constexpr uint16_t kMaxDropout = 3000;
constexpr uint16_t kMaxMisorder = 100;
constexpr Nanoseconds kFormerSourceTime = kSecond;

bool has_nal_units(Codec codec) {
  return codec == Codec::H264 || codec == Codec::H265;
}
bool has_reordering(Codec codec) {
  return has_nal_units(codec) || codec == Codec::MpegVideo || codec == Codec::Mpeg4Video;
}

} // namespace

TrackReceiver::TrackReceiver(const media::Track &track, bool over_udp, Nanoseconds start_pts)
    : track_(track), over_udp_(over_udp), timestamps_(track.clock_rate, start_pts), finder_(track.codec),
      reception_(track.clock_rate) {
  if (over_udp_) reorder_ = std::make_unique<ReorderBuffer>();
  scratch_.reserve(ReorderBuffer::kSlotSize);
  auto sets = media::parse_parameter_sets(track_);
  if (sets) sets_ = std::move(*sets); // else they come with the stream
  if (!sets_.sps.empty()) learn_from_sps(sets_.sps);
  if (!has_nal_units(track_.codec)) dts_.set_depth(1); // the other codecs' B pictures are no references
}

Result<void> TrackReceiver::on_rtp(Bytes packet, Nanoseconds arrival_monotonic, Nanoseconds wall, Sink &sink) {
  PacketView view = TRY(parse_packet(packet));
  if (view.header.payload_type != track_.payload_type) { // comfort noise, telephone events: no reader was told of them
    statistics_.foreign++;
    statistics_.foreign_payload_type = view.header.payload_type;
    return {};
  }
  size_t limit = over_udp_ ? ReorderBuffer::kSlotSize : kMaxTcpPacket;
  if (packet.size() > limit) return Error{fmt::format("RTP packet of {} bytes is too large", packet.size())};
  if (!accept_source(view, arrival_monotonic, sink)) return {};
  if (over_udp_ && !accept_sequence(view.header.sequence, arrival_monotonic, sink)) return {};

  if (view.padding > 0) {
    scratch_.resize(std::max(scratch_.size(), packet.size()));
    packet = without_padding(packet, view, scratch_);
    view.payload = packet.subspan(view.header_size);
  }
  Instant instant{arrival_monotonic, wall};
  if (!over_udp_) return receive_tcp(packet, view, instant, sink);
  receive_udp(packet, view, instant, sink);
  return {};
}

// False for packets that belong to nobody: those that open holes in NATs, and late ones of a former source.
bool TrackReceiver::accept_source(const PacketView &view, Nanoseconds arrival, Sink &sink) {
  uint32_t ssrc = view.header.ssrc;
  if (ssrc_ == ssrc) {
    suspect_ssrc_.reset();
    return true;
  }
  if (view.payload.empty() && view.padding == 0) return false;
  if (over_udp_ && former_ssrc_ == ssrc && arrival - restarted_at_ < kFormerSourceTime) return false;
  if (ssrc_ && over_udp_ && suspect_ssrc_ != ssrc) { // a stray packet does not make a new source, its successor does
    suspect_ssrc_ = ssrc;
    statistics_.foreign++;
    return false;
  }
  suspect_ssrc_.reset();
  if (ssrc_) restart(ssrc, arrival, sink);
  ssrc_ = ssrc;
  return true;
}

// A packet far off the others is dropped; when its successor follows, the publisher counts anew.
bool TrackReceiver::accept_sequence(uint16_t sequence, Nanoseconds arrival, Sink &sink) {
  if (!highest_sequence_) {
    highest_sequence_ = sequence;
    return true;
  }
  auto ahead = static_cast<uint16_t>(sequence - *highest_sequence_);
  if (ahead < kMaxDropout) {
    highest_sequence_ = sequence;
  } else if (ahead <= 65536 - kMaxMisorder) {
    if (suspect_sequence_ != sequence) {
      suspect_sequence_ = static_cast<uint16_t>(sequence + 1);
      statistics_.late++;
      return false;
    }
    restart(*ssrc_, arrival, sink);
    highest_sequence_ = sequence;
  }
  suspect_sequence_.reset();
  return true;
}

// The time line goes on: the first packet of the new source comes as much later as it arrived later.
void TrackReceiver::restart(uint32_t ssrc, Nanoseconds arrival, Sink &sink) {
  if (reorder_) {
    while (auto stored = reorder_->pop_forced()) deliver_stored(*stored, sink);
    reorder_->reset();
  }
  if (ssrc_ != ssrc) former_ssrc_ = ssrc_;
  restarted_at_ = arrival;
  extender_ = SequenceExtender();
  highest_sequence_.reset();
  suspect_sequence_.reset();
  timestamps_ = TimestampUnwrapper(track_.clock_rate, pts_ns_ + std::max<Nanoseconds>(0, arrival - last_arrival_));
  finder_.reset();
  unit_timestamp_.reset();
  reception_ = ReceptionStatistics(track_.clock_rate);
  if (repacketizer_) repacketizer_ = Repacketizer::create(track_);
  SenderState former = sender_;
  sender_ = SenderState{};
  sender_.packets = former.packets;
  sender_.octets = former.octets;
}

Result<void> TrackReceiver::receive_tcp(Bytes packet, const PacketView &view, Instant instant, Sink &sink) {
  uint16_t sequence = view.header.sequence;
  if (highest_sequence_) {
    int16_t ahead = sequence_distance(*highest_sequence_, sequence);
    if (ahead > 1) statistics_.lost += static_cast<uint16_t>(ahead - 1);
  }
  highest_sequence_ = sequence;
  statistics_.received++;
  reception_.on_packet(extender_.extend(sequence), view.header.timestamp, instant.arrival);

  if (packet.size() > kMaxPacket && !repacketizing_) {
    repacketizing_ = true;
    repacketizer_ = Repacketizer::create(track_);
  }
  if (!repacketizer_) {
    deliver(packet, view.header, view.payload, instant, sink);
    return {};
  }
  sink_ = &sink;
  instant_ = instant;
  return repacketizer_->push(view, *this);
}

void TrackReceiver::on_packet(Bytes packet) {
  auto view = parse_packet(packet);
  deliver(packet, view->header, view->payload, instant_, *sink_);
}

void TrackReceiver::receive_udp(Bytes packet, const PacketView &view, Instant instant, Sink &sink) {
  uint64_t sequence = extender_.extend(view.header.sequence);
  deliver_overdue(instant.arrival, sink);
  while (auto stored = reorder_->make_room(sequence)) deliver_stored(*stored, sink);
  switch (reorder_->push(sequence, {packet, instant.arrival, instant.wall})) {
  case ReorderBuffer::Verdict::Next:
    deliver(packet, view.header, view.payload, instant, sink);
    while (auto stored = reorder_->pop()) deliver_stored(*stored, sink);
    break;
  case ReorderBuffer::Verdict::Held:
    break;
  case ReorderBuffer::Verdict::Duplicate:
    statistics_.duplicates++;
    return reception_.on_duplicate();
  case ReorderBuffer::Verdict::Late:
    statistics_.late++;
    return reception_.on_packet(sequence, view.header.timestamp, instant.arrival);
  }
  statistics_.received++;
  reception_.on_packet(sequence, view.header.timestamp, instant.arrival);
}

void TrackReceiver::deliver_overdue(Nanoseconds now, Sink &sink) {
  while (auto stored = reorder_->pop_overdue(now)) {
    deliver_stored(*stored, sink);
    while (auto next = reorder_->pop()) deliver_stored(*next, sink);
  }
}

void TrackReceiver::deliver_stored(const ReorderBuffer::Stored &stored, Sink &sink) {
  auto view = parse_packet(stored.packet); // it was parsed before it was stored
  deliver(stored.packet, view->header, view->payload, {stored.arrival, stored.wall}, sink);
}

void TrackReceiver::deliver(Bytes packet, const Header &header, Bytes payload, Instant instant, Sink &sink) {
  if (!payload.empty() && unit_timestamp_ != header.timestamp) vps_due_ = sps_due_ = order_due_ = true;
  depth_.reset();
  packet_has_sets_ = false;
  UnitFacts unit = finder_.inspect(header, payload, has_nal_units(track_.codec) ? this : nullptr);
  if (sets_changed_ && (!packet_has_sets_ || unit.ends)) update_track();
  if (!payload.empty() && unit_timestamp_ != header.timestamp) {
    unit_timestamp_ = header.timestamp;
    pts_ns_ = timestamps_.unwrap(header.timestamp);
    dts_ns_ = has_reordering(track_.codec) ? dts_.next(pts_ns_) : pts_ns_;
  }
  if (depth_) dts_ns_ = dts_.with_depth(*depth_);
  last_arrival_ = instant.arrival;

  PacketFacts facts;
  facts.marker = header.marker;
  facts.first_of_access_unit = unit.first;
  facts.ends_access_unit = unit.ends;
  facts.random_access = unit.random_access;
  facts.pts_equals_dts = has_nal_units(track_.codec) ? unit.key_picture : true;
  facts.oversized = packet.size() > kMaxPacket;
  facts.pts_ns = pts_ns_;
  facts.dts_ns = dts_ns_;
  facts.arrival_ns = instant.arrival;
  if (facts.oversized) statistics_.oversized++;
  account(header, payload.size(), facts, instant);
  sink.on_packet(packet, facts);
}

void TrackReceiver::account(const Header &header, size_t payload_size, const PacketFacts &facts, Instant instant) {
  if (!sender_.active) {
    sender_.active = true;
    sender_.ssrc = header.ssrc;
    sender_.first_sequence = header.sequence;
    learn_publisher_clock();
  }
  sender_.last_sequence = header.sequence;
  sender_.last_rtp_time = header.timestamp;
  sender_.packets++;
  sender_.octets += payload_size;
  if (facts.pts_equals_dts) note_arrival(sender_, track_.clock_rate, header.timestamp, instant.arrival, instant.wall);
}

// Its report may come before the first packet, which tells whether it is this source's.
void TrackReceiver::learn_publisher_clock() {
  const std::optional<SenderReport> &report = reception_.sender_report();
  if (!report || !sender_.active || report->ssrc != sender_.ssrc) return;
  sender_.has_publisher_clock = report->ntp != 0; // RFC 3550 section 6.4.1: 0 if it has no clock
  sender_.publisher_ntp = report->ntp;
  sender_.publisher_rtp_time = report->rtp_time;
  sender_.publisher_monotonic = reception_.sender_report_arrival();
}

Result<void> TrackReceiver::on_rtcp(Bytes compound, Nanoseconds now) {
  struct Listener final : RtcpListener {
    void on_sender_report(const SenderReport &report) override {
      if (receiver->ssrc_ && *receiver->ssrc_ != report.ssrc) return;
      receiver->reception_.on_sender_report(report, now);
      receiver->learn_publisher_clock();
    }
    TrackReceiver *receiver = nullptr;
    Nanoseconds now = 0;
  } listener;
  listener.receiver = this;
  listener.now = now;
  return parse_rtcp(compound, listener);
}

void TrackReceiver::on_timer(Nanoseconds now, Sink &sink) {
  if (reorder_) deliver_overdue(now, sink);
}

std::optional<Nanoseconds> TrackReceiver::deadline() const {
  return reorder_ ? reorder_->deadline() : std::nullopt;
}

std::optional<RtcpPacket> TrackReceiver::receiver_report(Nanoseconds now, uint32_t own_ssrc) {
  if (!ssrc_) return std::nullopt;
  auto block = reception_.report(*ssrc_, now);
  if (!block) return std::nullopt;
  return make_receiver_report(own_ssrc, *block);
}

TrackReceiver::Statistics TrackReceiver::statistics() const {
  Statistics statistics = statistics_;
  if (reorder_) statistics.lost = reorder_->lost();
  statistics.jitter = reception_.jitter();
  return statistics;
}

void TrackReceiver::on_nal_unit(Bytes nal_unit) {
  if (track_.codec == Codec::H264)
    on_h264_unit(nal_unit);
  else
    on_h265_unit(nal_unit);
}

void TrackReceiver::on_fragmented_unit(uint8_t header, Bytes begin) {
  if (!order_ || !order_due_ || !media::is_h264_slice(media::h264_nal_type(header))) return;
  std::array<uint8_t, 32> unit{header};
  size_t count = std::min(begin.size(), unit.size() - 1);
  std::copy_n(begin.begin(), count, unit.begin() + 1);
  on_slice(Bytes(unit).first(count + 1));
}

void TrackReceiver::on_slice(Bytes begin) {
  order_due_ = false;
  depth_ = order_->add(begin);
}

void TrackReceiver::on_h264_unit(Bytes nal_unit) {
  H264Nal type = media::h264_nal_type(nal_unit[0]);
  if (order_ && order_due_ && media::is_h264_slice(type)) return on_slice(nal_unit);
  if (type == H264Nal::Sps && sps_due_) {
    sps_due_ = false;
    pps_due_ = true;
    take_set(sets_.sps, nal_unit);
  } else if (type == H264Nal::Pps && (pps_due_ || sets_.pps.empty())) {
    pps_due_ = false;
    take_set(sets_.pps, nal_unit);
  }
}

void TrackReceiver::on_h265_unit(Bytes nal_unit) {
  if (nal_unit.size() < 3 || (load_be16(nal_unit.data()) & 0x01f8) != 0) return; // of the base layer only
  H265Nal type = media::h265_nal_type(nal_unit[0]);
  if (type == H265Nal::Vps && vps_due_) {
    vps_due_ = false;
    take_set(sets_.vps, nal_unit);
  } else if (type == H265Nal::Sps && sps_due_) {
    sps_due_ = false;
    pps_due_ = true;
    take_set(sets_.sps, nal_unit);
  } else if (type == H265Nal::Pps && (pps_due_ || sets_.pps.empty())) {
    pps_due_ = false;
    take_set(sets_.pps, nal_unit);
  }
}

void TrackReceiver::take_set(ByteVector &stored, Bytes nal_unit) {
  packet_has_sets_ = true;
  if (nal_unit.size() > media::kMaxParameterSet ||
      std::equal(nal_unit.begin(), nal_unit.end(), stored.begin(), stored.end()))
    return;
  if (&stored == &sets_.sps && !learn_from_sps(nal_unit)) return;
  stored.assign(nal_unit.begin(), nal_unit.end());
  sets_changed_ = true;
}

// False when it is not understood; then it is not taken for the track's.
bool TrackReceiver::learn_from_sps(Bytes sps) {
  if (track_.codec == Codec::H264) {
    auto parsed = media::parse_h264_sps(sps);
    if (!parsed) return false;
    // Without a statement the estimator finds out.
    order_.reset();
    if (parsed->reorder_frames)
      dts_.set_depth(*parsed->reorder_frames);
    else
      order_.emplace(*parsed);
    dts_.set_frame_duration(parsed->frame_duration.value_or(0));
    return true;
  }
  auto parsed = media::parse_h265_sps(sps);
  if (!parsed) return false;
  dts_.set_depth(parsed->reorder_pictures);
  dts_.set_frame_duration(parsed->frame_duration.value_or(0));
  return true;
}

void TrackReceiver::update_track() {
  bool h265 = track_.codec == Codec::H265;
  if (sets_.sps.empty() || sets_.pps.empty() || (h265 && sets_.vps.empty())) return;
  sets_changed_ = false;
  track_.fmtp = h265 ? media::write_h265_fmtp(sets_) : media::write_h264_fmtp(sets_);
  track_updated_ = true;
}

std::optional<media::Track> TrackReceiver::take_updated_track() {
  if (!track_updated_) return std::nullopt;
  track_updated_ = false;
  return track_;
}

} // namespace sluice::rtp
