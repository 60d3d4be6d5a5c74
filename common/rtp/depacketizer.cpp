#include "common/rtp/depacketizer.h"

#include "common/media/av1.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/nal_unit.h"
#include "common/rtp/sequence.h"
#include "common/rtp/vpx_payload.h"

#include <algorithm>
#include <utility>

namespace sluice::rtp {

using media::Codec;
using media::H264Nal;
using media::H265Nal;

namespace {

bool is_supported(Codec codec) {
  switch (codec) {
  case Codec::H264:
  case Codec::H265:
  case Codec::Vp8:
  case Codec::Vp9:
  case Codec::Av1:
  case Codec::Aac:
  case Codec::AacLatm:
  case Codec::Opus:
  case Codec::MpegAudio:
  case Codec::Pcmu:
  case Codec::Pcma:
  case Codec::Ac3:
  case Codec::Flac:
    return true;
  case Codec::Other:
  case Codec::MpegVideo:
  case Codec::Mpeg4Video:
  case Codec::Jpeg:
    return false;
  }
  return false;
}

bool has_nal_units(Codec codec) {
  return codec == Codec::H264 || codec == Codec::H265;
}

bool is_base_layer(Bytes h265_unit) {
  return h265_unit.size() >= 3 && (load_be16(h265_unit.data()) & 0x01f8) == 0;
}

} // namespace

Result<Depacketizer> Depacketizer::create(const media::Track &track) {
  if (!is_supported(track.codec)) return Error{"frames can't be taken out of packets of this codec"};
  media::AacFormat aac;
  if (track.codec == Codec::Aac) {
    aac = TRY(media::parse_aac_format(track));
    if (!aac.simple || aac.size_length == 0) return Error{"unsupported AU headers of an AAC track"};
  } else if (track.codec == Codec::AacLatm) {
    aac.config = TRY(media::parse_latm_format(track));
  }
  return Depacketizer(track, aac);
}

Depacketizer::Depacketizer(const media::Track &track, media::AacFormat aac) : codec_(track.codec), aac_(aac) {
  auto sets = media::parse_parameter_sets(track);
  if (sets) sets_ = std::move(*sets); // else they come with the stream
}

void Depacketizer::reset() {
  ssrc_.reset();
  begun_ = damaged_ = open_ = picture_ = loss_ = false;
  buffer_.clear();
  places_.clear();
  wanted_ = 0;
}

// Whether it is the packet after the last one; another source begins anew.
bool Depacketizer::follows(const Header &header) {
  bool same_source = ssrc_ == header.ssrc;
  auto gap = static_cast<uint16_t>(header.sequence - next_sequence_);
  ssrc_ = header.ssrc;
  next_sequence_ = static_cast<uint16_t>(header.sequence + 1);
  if (!same_source || gap == 0) return true;
  if (gap < 0x8000) lost_packets_ += gap;
  return false;
}

void Depacketizer::damage() {
  damaged_ = true;
  loss_ = true;
  open_ = false;
}

void Depacketizer::begin_access_unit(const EntryTimes &times, Sink &sink) {
  if (begun_) finish(sink);
  begun_ = true;
  damaged_ = open_ = picture_ = false;
  times_ = times;
}

void Depacketizer::push(Bytes packet, const EntryTimes &times, Sink &sink) {
  auto view = parse_packet(packet);
  if (!view) {
    damage();
    return;
  }
  bool follows_last = follows(view->header);
  if (!follows_last) {
    loss_ = true;
    if (begun_) damage();
  }
  if (view->payload.empty()) return;
  if (times.first_of_access_unit)
    begin_access_unit(times, sink);
  else if (!begun_)
    return; // the rest of a unit whose begin is missing
  times_.random_access = times_.random_access || times.random_access;
  times_.dts_ns = std::min(times_.dts_ns, times.dts_ns); // known better once a slice was seen
  if (!damaged_) take(*view, sink);
  bool ends = view->header.marker && (!has_nal_units(codec_) || picture_ || damaged_);
  if (begun_ && ends) finish(sink);
}

void Depacketizer::take(const PacketView &view, Sink &sink) {
  Bytes payload = view.payload;
  bool marker = view.header.marker;
  switch (codec_) {
  case Codec::H264:
    return take_h264(payload);
  case Codec::H265:
    return take_h265(payload);
  case Codec::Vp8: {
    auto part = parse_vp8_payload(payload);
    return part ? take_frame_part(part->data, part->begins_frame) : damage();
  }
  case Codec::Vp9: {
    auto part = parse_vp9_payload(payload);
    return part ? take_frame_part(part->data, part->begins_frame) : damage();
  }
  case Codec::Av1:
    return take_av1(payload);
  case Codec::Aac:
    return take_aac(payload, marker, sink);
  case Codec::AacLatm:
    return take_latm(payload, marker, sink);
  case Codec::MpegAudio:
    return take_mpeg_audio(payload, sink);
  case Codec::Ac3:
    return take_ac3(payload, marker, sink);
  case Codec::Flac:
    return take_frame_part(payload, true);
  case Codec::Opus:
  case Codec::Pcmu:
  case Codec::Pcma:
    emit_frame(payload, 0, sink);
    begun_ = false;
    return;
  case Codec::Other:
  case Codec::MpegVideo:
  case Codec::Mpeg4Video:
  case Codec::Jpeg:
    return; // create() refuses them
  }
}

bool Depacketizer::begin_unit() {
  if (places_.size() == kMaxUnitsOfAccessUnit) {
    damage();
    return false;
  }
  places_.push_back({buffer_.size(), 0});
  return true;
}

bool Depacketizer::append(Bytes data) {
  if (buffer_.size() + data.size() > kMaxAccessUnit) {
    damage();
    return false;
  }
  buffer_.insert(buffer_.end(), data.begin(), data.end());
  places_.back().size += data.size();
  return true;
}

// What was put together becomes an access unit, unless something is missing.
void Depacketizer::finish(Sink &sink) {
  if (open_) damage();
  bool complete = !damaged_ && !places_.empty() && finish_units();
  if (complete) {
    learn_sets(sink);
    emit(units_, 0, sink);
  } else if (damaged_) {
    dropped_units_++;
  }
  begun_ = damaged_ = open_ = picture_ = false;
  buffer_.clear();
  places_.clear();
  wanted_ = 0;
}

// False when nothing is left.
bool Depacketizer::finish_units() {
  units_.clear();
  for (Place place : places_) {
    Bytes unit = Bytes(buffer_).subspan(place.offset, place.size);
    if (unit.empty()) continue;
    if (codec_ == Codec::Av1) {
      auto obu = media::parse_obu(unit);
      if (!obu || obu->size != unit.size()) {
        damage();
        return false;
      }
      if (obu->type == media::ObuType::TemporalDelimiter) continue;
    }
    units_.push_back(unit);
  }
  return !units_.empty();
}

void Depacketizer::learn_set(ByteVector &stored, Bytes unit, bool &changed) {
  if (unit.size() > media::kMaxParameterSet) return;
  if (std::equal(unit.begin(), unit.end(), stored.begin(), stored.end())) return;
  bool known = true;
  if (&stored == &sets_.sps) {
    if (codec_ == Codec::H264) known = media::parse_h264_sps(unit).has_value();
    if (codec_ == Codec::H265) known = media::parse_h265_sps(unit).has_value();
    if (codec_ == Codec::Av1) known = media::parse_av1_sequence_header(unit).has_value();
  }
  if (!known) return;
  stored.assign(unit.begin(), unit.end());
  changed = true;
}

// Several sets of a kind may be in use; those that count are the first VPS and SPS of an access unit and the first PPS
// after that.
void Depacketizer::learn_sets(Sink &sink) {
  bool vps_due = true, sps_due = true, pps_due = sets_.pps.empty(), changed = false;
  for (Bytes unit : units_) {
    if (codec_ == Codec::H264) {
      H264Nal type = media::h264_nal_type(unit[0]);
      if (media::is_h264_slice(type)) break;
      if (type == H264Nal::Sps && std::exchange(sps_due, false)) {
        pps_due = true;
        learn_set(sets_.sps, unit, changed);
      } else if (type == H264Nal::Pps && std::exchange(pps_due, false)) {
        learn_set(sets_.pps, unit, changed);
      }
    } else if (codec_ == Codec::H265 && is_base_layer(unit)) {
      H265Nal type = media::h265_nal_type(unit[0]);
      if (media::is_h265_slice(type)) break;
      if (type == H265Nal::Vps && std::exchange(vps_due, false)) {
        learn_set(sets_.vps, unit, changed);
      } else if (type == H265Nal::Sps && std::exchange(sps_due, false)) {
        pps_due = true;
        learn_set(sets_.sps, unit, changed);
      } else if (type == H265Nal::Pps && std::exchange(pps_due, false)) {
        learn_set(sets_.pps, unit, changed);
      }
    } else if (codec_ == Codec::Av1 && sps_due) {
      auto obu = media::parse_obu(unit);
      if (!obu || obu->type != media::ObuType::SequenceHeader) continue;
      ByteVector header; // in one form, whether it came with a size field or not
      media::append_obu(header, *obu, false);
      sps_due = false;
      learn_set(sets_.sps, header, changed);
    }
  }
  bool complete = !sets_.sps.empty() && (codec_ == Codec::Av1 || !sets_.pps.empty());
  if (codec_ == Codec::H265) complete = complete && !sets_.vps.empty();
  if (changed && complete) sink.on_configuration(sets_);
}

// `after`: how long after the access unit's times.
void Depacketizer::emit(std::span<const Bytes> units, Nanoseconds after, Sink &sink) {
  AccessUnit unit;
  unit.units = units;
  unit.pts_ns = times_.pts_ns + after;
  unit.dts_ns = times_.dts_ns + after;
  unit.random_access = times_.random_access;
  unit.after_loss = std::exchange(loss_, false);
  sink.on_access_unit(unit);
}

void Depacketizer::emit_frame(Bytes frame, Nanoseconds after, Sink &sink) {
  if (frame.empty()) return;
  emit(std::span(&frame, 1), after, sink);
}

} // namespace sluice::rtp
