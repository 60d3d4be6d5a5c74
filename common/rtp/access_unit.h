// Finds access units and random access points in a track's RTP packets, given in order, from payload headers
// alone. Units are told apart by timestamp and marker (RFC 6184, 7798, 3640, 6416, 7587, 7741, 9628, 2250, 2435).
//
// In H.264 and H.265 a unit that begins with parameter sets is taken as a random access unit at once, so that
// its first packet carries the mark; a unit is marked once. A marker after nothing but parameter sets, SEI and
// delimiters does not end a unit.
#pragma once

#include "common/base/bytes.h"
#include "common/media/stream_description.h"
#include "common/rtp/packet.h"

#include <optional>

namespace sluice::rtp {

struct UnitFacts {
  bool first = false;         // first packet of an access unit, or of what is left of it
  bool ends = false;          // last packet of an access unit
  bool random_access = false; // decoding can start with this packet
  bool key_picture = false;   // the unit is known by now to contain an IDR or IRAP picture; H.264 and H.265 only
};

// Sees each NAL unit that is whole within a packet (of an H264 or H265 track), and of H264 the begins of others.
class NalListener {
public:
  virtual void on_nal_unit(Bytes nal_unit) = 0;
  // The NAL unit's header, and what of it follows in its first packet.
  virtual void on_fragmented_unit(uint8_t header, Bytes begin) = 0;

protected:
  ~NalListener() = default;
};

class AccessUnitFinder {
public:
  explicit AccessUnitFinder(media::Codec codec) : codec_(codec) {}

  // `payload` without padding. A malformed payload has no facts beyond what timestamp and marker say.
  UnitFacts inspect(const Header &header, Bytes payload, NalListener *listener = nullptr);

  // After a change of the SSRC.
  void reset() { *this = AccessUnitFinder(codec_); }

private:
  // What one payload holds.
  struct Found {
    bool random_access = false; // decoding can start here, once per unit
    bool key_picture = false;   // part of an IDR or IRAP picture
    bool picture = false;       // part of any picture
  };

  Found look(Bytes payload, bool first, NalListener *listener) const;
  Found look_h264(Bytes payload, NalListener *listener) const;
  Found look_h265(Bytes payload, NalListener *listener) const;
  void add_h264(Found &found, uint8_t header, bool begins) const;
  void add_h265(Found &found, uint8_t header, bool begins) const;
  bool ends_unit(const Header &header, Bytes payload);
  bool mpeg_audio_ends(Bytes payload);
  bool has_nal_units() const { return codec_ == media::Codec::H264 || codec_ == media::Codec::H265; }

  media::Codec codec_;
  std::optional<uint32_t> timestamp_; // of the current unit
  bool ended_ = false;
  bool marked_ = false;
  bool key_picture_ = false;
  bool picture_ = false;
  uint16_t audio_frame_size_ = 0; // MPEG audio: of the frame whose fragments arrive
};

} // namespace sluice::rtp
