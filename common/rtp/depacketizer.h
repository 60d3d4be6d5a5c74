// Makes access units of the RTP packets of one track, as they stand in a ring: in order, without padding. H.264, H.265,
// AAC (RFC 3640 and, with its configuration in the SDP, RFC 6416), Opus, VP8, VP9, AV1, MPEG audio, G.711, AC-3, FLAC.
// What is lost or malformed costs the unit that it belongs to, never more; the next one says so. Pure; one per track
// and muxer, its buffer grows up to kMaxAccessUnit and is used again.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/media/aac.h"
#include "common/media/parameters.h"
#include "common/media/stream_description.h"
#include "common/rtp/packet.h"
#include "common/rtp/packetizer.h"

#include <optional>
#include <span>
#include <vector>

namespace sluice::rtp {

constexpr size_t kMaxUnitsOfAccessUnit = 4096;

// What the ring says about a packet.
struct EntryTimes {
  Nanoseconds pts_ns = 0;
  Nanoseconds dts_ns = 0;
  bool first_of_access_unit = false;
  bool random_access = false;
};

struct AccessUnit {
  // H264, H265: NAL units without start codes; AV1: OBUs without temporal delimiters, size fields as they came; others:
  // one frame. Never empty, nor is any of them; valid during the call.
  std::span<const Bytes> units;
  Nanoseconds pts_ns = 0;
  Nanoseconds dts_ns = 0;
  bool random_access = false; // as the ring says
  bool after_loss = false;    // something before it is missing
};

class Depacketizer {
public:
  class Sink {
  public:
    virtual void on_access_unit(const AccessUnit &unit) = 0;
    // Parameter sets or the sequence header have changed, and none is missing: from the access unit on that follows.
    virtual void on_configuration(const media::ParameterSets &sets) = 0;

  protected:
    ~Sink() = default;
  };

  // Errors: a codec that is not in the list above, parameters that are missing or unsupported.
  static Result<Depacketizer> create(const media::Track &track);

  // One packet; calls the sink 0..n times. A unit that has no marker comes with the first packet of the next one.
  void push(Bytes packet, const EntryTimes &times, Sink &sink);

  // What follows does not join what was pushed: a unit that is not complete is forgotten, and nothing counts as lost.
  void reset();

  // As far as known: what the track said, or what came since.
  const media::ParameterSets &sets() const { return sets_; }
  uint64_t lost_packets() const { return lost_packets_; }
  uint64_t dropped_units() const { return dropped_units_; } // that could not be completed

private:
  struct Place {
    size_t offset = 0, size = 0; // in buffer_
  };

  Depacketizer(const media::Track &track, media::AacFormat aac);

  bool follows(const Header &header);
  void begin_access_unit(const EntryTimes &times, Sink &sink);
  void take(const PacketView &view, Sink &sink);
  void finish(Sink &sink);
  bool finish_units();
  void learn_sets(Sink &sink);
  void learn_set(ByteVector &stored, Bytes unit, bool &changed);
  void emit(std::span<const Bytes> units, Nanoseconds after, Sink &sink);
  void emit_frame(Bytes frame, Nanoseconds after, Sink &sink);
  void damage();

  // Appends to the access unit; false, and it is damaged, when it gets too large.
  bool begin_unit();
  bool append(Bytes data);
  bool append_unit(Bytes unit) { return begin_unit() && append(unit); }

  void take_h264(Bytes payload);
  void take_h265(Bytes payload);
  void take_aggregate(Bytes units, size_t header_size);
  void take_fragment(Bytes nal_header, uint8_t fragment_header, Bytes data);
  void take_av1(Bytes payload);
  void take_frame_part(Bytes data, bool begins);
  void take_aac(Bytes payload, bool marker, Sink &sink);
  void take_latm(Bytes payload, bool marker, Sink &sink);
  void take_mpeg_audio(Bytes payload, Sink &sink);
  void take_ac3(Bytes payload, bool marker, Sink &sink);

  media::Codec codec_;
  media::AacFormat aac_;
  media::ParameterSets sets_;
  std::optional<uint32_t> ssrc_;
  uint16_t next_sequence_ = 0;

  bool begun_ = false;   // an access unit is being put together
  bool damaged_ = false; // and can't be completed
  bool open_ = false;    // its last unit goes on in the next packet
  bool picture_ = false; // H264, H265: it has a slice
  bool loss_ = false;    // since the last one that was emitted
  EntryTimes times_;     // of the access unit
  ByteVector buffer_;
  std::vector<Place> places_;
  std::vector<Bytes> units_; // of emit()
  size_t wanted_ = 0;        // AAC, MPEG audio: the size of the frame whose fragments come
  uint64_t lost_packets_ = 0;
  uint64_t dropped_units_ = 0;
};

} // namespace sluice::rtp
