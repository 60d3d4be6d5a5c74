// Makes RTP packets for a ring of the access units of one track, for publishers whose protocol carries frames: H.264
// (RFC 6184: single, STAP-A, FU-A), H.265 (RFC 7798: single, AP, FU), AAC (RFC 3640, one unit a packet), Opus (RFC
// 7587), VP8 (RFC 7741), VP9 (RFC 9628), AV1 (RTP payload format for AV1), MPEG audio (RFC 2250), G.711 (RFC 3551),
// AC-3 (RFC 4184). FLAC has no payload format in wide use: here a frame is cut as it is, the last packet has the
// marker, and SDP does not offer the track. No packet is larger than kMaxPacket. Pure; allocates nothing per packet
// once its buffers have grown.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/media/stream_description.h"
#include "common/rtp/packet.h"
#include "common/rtp/packet_facts.h"
#include "common/rtp/sender_report.h"

#include <array>
#include <optional>
#include <span>
#include <vector>

namespace sluice::rtp {

constexpr size_t kMaxAccessUnit = 4 << 20; // bytes, all units of it

struct Frame {
  // H264, H265: NAL units without start codes; AV1: OBUs, with or without size fields; audio: frames that follow each
  // other in time, mostly one; others: one frame. Empty ones are left out.
  std::span<const Bytes> units;
  Nanoseconds pts_ns = 0; // from the start of the ring's time
  Nanoseconds dts_ns = 0;
  bool random_access = false; // audio: all are
  Nanoseconds arrival_ns = 0; // monotonic
  Nanoseconds wall_ns = 0;    // of the arrival
};

class Packetizer {
public:
  struct Start {
    uint32_t ssrc = 0;
    uint16_t sequence = 0;  // of the first packet
    uint32_t timestamp = 0; // where pts_ns is 0
  };

  // Errors: a codec that is not in the list above, parameters of AAC that are missing.
  static Result<Packetizer> create(const media::Track &track, const Start &start);

  // Calls the sink 0..n times. Errors: larger than kMaxAccessUnit, or a frame of a codec that can't be cut into
  // packets is too large; then nothing of this frame was sent.
  Result<void> push(const Frame &frame, PacketSink &sink);

  // Parameter sets or a sequence header, sent in front of random access units from now on that do not bring their own.
  void set_configuration(std::vector<ByteVector> units) { configuration_ = std::move(units); }

  const SenderState &sender_state() const { return sender_; }

private:
  // Bits of AAC's AU headers; 0 = another codec.
  struct AacLengths {
    uint8_t size = 0, index = 0;
  };

  Packetizer(const media::Track &track, const Start &start, AacLengths aac, uint32_t frame_ticks);

  Result<void> check(const Frame &frame) const;
  void gather_units(const Frame &frame);
  void push_audio(Bytes frame, PacketSink &sink);
  void set_timestamp(Nanoseconds pts_ns);
  int64_t duration_of(Bytes frame) const;

  void push_nal_units(PacketSink &sink);
  size_t aggregate(size_t first, PacketSink &sink);
  void cut_nal_unit(Bytes unit, bool last, PacketSink &sink);
  void push_aac(Bytes frame, PacketSink &sink);
  void push_mpeg_audio(Bytes frame, PacketSink &sink);
  void push_ac3(Bytes frame, PacketSink &sink);
  void push_vp8(Bytes frame, PacketSink &sink);
  void push_vp9(Bytes frame, PacketSink &sink);
  void push_plain(Bytes frame, PacketSink &sink);
  void push_av1(PacketSink &sink);

  // One packet of this access unit: what stands in front of the payload, and the payload.
  void send(Bytes head, Bytes data, bool last, bool marker, PacketSink &sink);
  uint8_t *payload() { return packet_.data() + kHeaderSize; }
  void send_written(size_t payload_size, bool last, bool marker, PacketSink &sink); // stands in payload() already

  media::Codec codec_;
  uint32_t clock_rate_;
  Start start_;
  AacLengths aac_;
  uint32_t frame_ticks_; // audio: how long each frame lasts; 0 = not known, or it differs
  Header header_;
  std::optional<int64_t> next_ticks_; // audio: where the next frame is expected
  std::vector<ByteVector> configuration_;
  std::vector<Bytes> units_; // of the access unit
  PacketFacts facts_;        // of the next packet
  SenderState sender_;
  Nanoseconds wall_ns_ = 0;
  std::array<uint8_t, kMaxPacket> packet_;
};

} // namespace sluice::rtp
