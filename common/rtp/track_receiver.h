// What a publisher's session needs for one track: RTP and RTCP packets of the publisher in, packets for the ring
// with all facts about them out. Removes padding, reorders (UDP), re-packetises what is too large (TCP), finds
// access units, random access points, PTS and DTS, counts losses. Sans-I/O; allocates nothing per packet.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/media/parameters.h"
#include "common/media/picture_order.h"
#include "common/media/stream_description.h"
#include "common/rtp/access_unit.h"
#include "common/rtp/dts_estimator.h"
#include "common/rtp/packet.h"
#include "common/rtp/packet_facts.h"
#include "common/rtp/reception_statistics.h"
#include "common/rtp/reorder_buffer.h"
#include "common/rtp/repacketizer.h"
#include "common/rtp/sender_report.h"

#include <memory>
#include <optional>

namespace sluice::rtp {

class TrackReceiver final : private PacketListener, private NalListener {
public:
  using Sink = PacketSink;

  struct Statistics {
    uint64_t received = 0; // packets that were accepted
    uint64_t lost = 0;     // gaps that nothing filled in time
    uint64_t late = 0;     // arrived after their gap was given up
    uint64_t duplicates = 0;
    uint64_t foreign = 0; // of another payload type than the track's, or a stray of another source: dropped
    std::optional<uint8_t> foreign_payload_type = {}; // the last one
    uint64_t oversized = 0;                           // sent on larger than kMaxPacket
    uint32_t jitter = 0;                              // in timestamp units
  };

  // `track` is of a valid description; `start_pts`: of the first packet.
  TrackReceiver(const media::Track &track, bool over_udp, Nanoseconds start_pts = 0);
  TrackReceiver(const TrackReceiver &) = delete;
  TrackReceiver &operator=(const TrackReceiver &) = delete;

  // One RTP packet. Calls the sink 0..n times. An Error means a malformed packet: over TCP
  // the publisher's connection should end, over UDP only this datagram is ignored.
  Result<void> on_rtp(Bytes packet, Nanoseconds arrival_monotonic, Nanoseconds wall, Sink &sink);
  Result<void> on_rtcp(Bytes compound, Nanoseconds now);

  // Releases what waited too long for its predecessors; the session calls it at `deadline` (empty = not needed).
  void on_timer(Nanoseconds now, Sink &sink);
  std::optional<Nanoseconds> deadline() const;

  // Once a sender report was received.
  std::optional<RtcpPacket> receiver_report(Nanoseconds now, uint32_t own_ssrc);
  // With the publisher's clock, once it is known.
  const SenderState &sender_state() const { return sender_; }
  Statistics statistics() const;
  const media::Track &track() const { return track_; }

  // The track with a new fmtp, once after each change of the parameter sets in the stream.
  std::optional<media::Track> take_updated_track();

private:
  struct Instant {
    Nanoseconds arrival = 0;
    Nanoseconds wall = 0;
  };

  bool accept_source(const PacketView &view, Nanoseconds arrival, Sink &sink);
  bool accept_sequence(uint16_t sequence, Nanoseconds arrival, Sink &sink);
  void restart(uint32_t ssrc, Nanoseconds arrival, Sink &sink);
  Result<void> receive_tcp(Bytes packet, const PacketView &view, Instant instant, Sink &sink);
  void receive_udp(Bytes packet, const PacketView &view, Instant instant, Sink &sink);
  void deliver_overdue(Nanoseconds now, Sink &sink);
  // Whole packets in order, without padding.
  void deliver(Bytes packet, const Header &header, Bytes payload, Instant instant, Sink &sink);
  void deliver_stored(const ReorderBuffer::Stored &stored, Sink &sink);
  void learn_publisher_clock();
  void account(const Header &header, size_t payload_size, const PacketFacts &facts, Instant instant);
  void on_packet(Bytes packet) override;
  void on_nal_unit(Bytes nal_unit) override;
  void on_fragmented_unit(uint8_t header, Bytes begin) override;
  void on_slice(Bytes begin);
  void on_h264_unit(Bytes nal_unit);
  void on_h265_unit(Bytes nal_unit);
  void take_set(ByteVector &stored, Bytes nal_unit);
  bool learn_from_sps(Bytes sps);
  void update_track();

  media::Track track_;
  bool over_udp_;
  std::optional<uint32_t> ssrc_;
  std::optional<uint32_t> former_ssrc_;  // UDP: late packets of it are dropped for a while
  std::optional<uint32_t> suspect_ssrc_; // UDP: of the last packet, if it was the first of another source
  Nanoseconds restarted_at_ = 0;
  SequenceExtender extender_;
  std::optional<uint16_t> highest_sequence_;
  std::optional<uint16_t> suspect_sequence_; // what would follow a packet far off the others
  TimestampUnwrapper timestamps_;
  AccessUnitFinder finder_;
  DtsEstimator dts_;
  std::optional<media::PictureOrder> order_; // where the SPS does not say how far pictures are reordered
  bool order_due_ = false;                   // no slice of the access unit was seen
  std::optional<size_t> depth_;              // what the packet's slice has shown
  Nanoseconds last_arrival_ = 0;
  Nanoseconds pts_ns_ = 0; // of the current access unit
  Nanoseconds dts_ns_ = 0;
  std::optional<uint32_t> unit_timestamp_;
  ReceptionStatistics reception_;
  std::unique_ptr<ReorderBuffer> reorder_;     // UDP
  std::unique_ptr<Repacketizer> repacketizer_; // TCP, once a packet was too large
  bool repacketizing_ = false;                 // tried; there may be no repacketizer for the track
  SenderState sender_;
  Statistics statistics_;
  ByteVector scratch_; // packets whose padding was removed
  media::ParameterSets sets_;
  // Several sets of a kind may be in use; those that count are the first VPS and SPS of an access unit and the
  // first PPS after that.
  bool vps_due_ = true;
  bool sps_due_ = true;
  bool pps_due_ = true;
  bool packet_has_sets_ = false;
  bool sets_changed_ = false;
  bool track_updated_ = false;
  Sink *sink_ = nullptr; // during a call
  Instant instant_;      // of the packet that is being re-packetised
};

} // namespace sluice::rtp
