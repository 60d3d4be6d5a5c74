#include "common/rtp/packetizer.h"

#include "common/base/check.h"
#include "common/media/aac.h"
#include "common/media/ac3.h"
#include "common/media/av1.h"
#include "common/media/h264.h"
#include "common/media/h265.h"
#include "common/media/opus.h"
#include "common/rtp/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace sluice::rtp {

using media::Codec;

namespace {

bool is_audio(Codec codec) {
  switch (codec) {
  case Codec::Aac:
  case Codec::Opus:
  case Codec::MpegAudio:
  case Codec::Pcmu:
  case Codec::Pcma:
  case Codec::Ac3:
  case Codec::Flac:
    return true;
  default:
    return false;
  }
}

bool is_supported(Codec codec) {
  switch (codec) {
  case Codec::H264:
  case Codec::H265:
  case Codec::Vp8:
  case Codec::Vp9:
  case Codec::Av1:
    return true;
  default:
    return is_audio(codec);
  }
}

// Whether such units bring what set_configuration() would add.
bool is_configuration(Codec codec, uint8_t first_byte) {
  if (codec == Codec::H264) return media::h264_nal_type(first_byte) == media::H264Nal::Sps;
  if (codec == Codec::H265) return media::h265_nal_type(first_byte) == media::H265Nal::Sps;
  return codec == Codec::Av1 && (first_byte >> 3 & 0x0f) == static_cast<uint8_t>(media::ObuType::SequenceHeader);
}

bool is_sample_codec(Codec codec) {
  return codec == Codec::Pcmu || codec == Codec::Pcma;
}

} // namespace

Result<Packetizer> Packetizer::create(const media::Track &track, const Start &start) {
  if (!is_supported(track.codec)) return Error{"frames of this codec can't be put into RTP packets"};
  if (track.codec == Codec::Aac) {
    media::AacFormat format = TRY(media::parse_aac_format(track));
    bool usual = format.simple && format.size_length > 0 && format.size_length + format.index_length <= 32;
    if (!usual) return Error{"unsupported AU headers of an AAC track"};
    bool same_clock = format.config.sample_rate == track.clock_rate;
    return Packetizer(track, start, {format.size_length, format.index_length},
                      same_clock ? format.config.frame_samples() : 0);
  }
  return Packetizer(track, start, {}, track.codec == Codec::Ac3 ? media::kAc3FrameSamples : 0);
}

Packetizer::Packetizer(const media::Track &track, const Start &start, AacLengths aac, uint32_t frame_ticks)
    : codec_(track.codec), clock_rate_(track.clock_rate), start_(start), aac_(aac),
      frame_ticks_(frame_ticks), header_{false, track.payload_type, start.sequence, start.timestamp, start.ssrc} {}

Result<void> Packetizer::check(const Frame &frame) const {
  size_t size = 0;
  for (Bytes unit : frame.units) {
    size += unit.size();
    bool whole = codec_ == Codec::Opus;
    size_t limit = whole ? kMaxPayload : codec_ == Codec::MpegAudio ? size_t{UINT16_MAX} : kMaxAccessUnit;
    if (codec_ == Codec::Aac) limit = std::min<size_t>(limit, (uint64_t{1} << aac_.size) - 1);
    if (codec_ == Codec::Ac3) limit = kMaxPayload * 255;
    if (unit.size() > limit) return Error{fmt::format("a frame of {} bytes is too large", unit.size())};
    if (codec_ == Codec::Av1 && !unit.empty()) (void)TRY(media::parse_obu(unit));
  }
  if (size > kMaxAccessUnit) return Error{fmt::format("an access unit of {} bytes is too large", size)};
  return {};
}

void Packetizer::gather_units(const Frame &frame) {
  units_.clear();
  bool configured = !frame.random_access;
  size_t header_size = codec_ == Codec::H265 ? 2 : 1;
  for (Bytes unit : frame.units) {
    if (unit.size() > header_size) configured = configured || is_configuration(codec_, unit[0]);
  }
  if (!configured) units_.assign(configuration_.begin(), configuration_.end());
  for (Bytes unit : frame.units) {
    if (unit.size() > header_size || (unit.size() == header_size && codec_ == Codec::Av1)) units_.push_back(unit);
  }
}

Result<void> Packetizer::push(const Frame &frame, PacketSink &sink) {
  TRY(check(frame));
  facts_ = {};
  facts_.random_access = frame.random_access || is_audio(codec_);
  facts_.first_of_access_unit = true;
  facts_.pts_ns = frame.pts_ns;
  facts_.dts_ns = frame.dts_ns;
  facts_.pts_equals_dts = frame.pts_ns == frame.dts_ns;
  facts_.arrival_ns = frame.arrival_ns;
  wall_ns_ = frame.wall_ns;
  if (is_audio(codec_)) {
    for (Bytes unit : frame.units) {
      if (!unit.empty()) push_audio(unit, sink);
    }
    return {};
  }
  set_timestamp(frame.pts_ns);
  if (codec_ == Codec::Vp8 || codec_ == Codec::Vp9) {
    for (Bytes unit : frame.units) {
      if (!unit.empty()) codec_ == Codec::Vp8 ? push_vp8(unit, sink) : push_vp9(unit, sink);
    }
    return {};
  }
  gather_units(frame);
  codec_ == Codec::Av1 ? push_av1(sink) : push_nal_units(sink);
  return {};
}

// In ticks; 0 = not known.
int64_t Packetizer::duration_of(Bytes frame) const {
  if (is_sample_codec(codec_)) return static_cast<int64_t>(frame.size());
  if (codec_ == Codec::Opus) return ns_to_ticks(media::opus_packet_duration(frame).value_or(0), clock_rate_);
  return frame_ticks_;
}

void Packetizer::push_audio(Bytes frame, PacketSink &sink) {
  set_timestamp(facts_.pts_ns);
  int64_t duration = duration_of(frame);
  facts_.first_of_access_unit = true;
  facts_.random_access = true;
  if (codec_ == Codec::Aac)
    push_aac(frame, sink);
  else if (codec_ == Codec::MpegAudio)
    push_mpeg_audio(frame, sink);
  else if (codec_ == Codec::Ac3)
    push_ac3(frame, sink);
  else
    push_plain(frame, sink);
  if (duration > 0) next_ticks_ = *next_ticks_ + duration;
  Nanoseconds step = ticks_to_ns(duration, clock_rate_); // to a further frame of the same input
  facts_.pts_ns += step;
  facts_.dts_ns += step;
}

// Where times come in milliseconds, those of audio frames would be off by parts of one; as long as they agree with
// the samples that were sent, these count.
void Packetizer::set_timestamp(Nanoseconds pts_ns) {
  int64_t ticks = ns_to_ticks(pts_ns, clock_rate_);
  if (is_audio(codec_)) {
    int64_t tolerance = int64_t{clock_rate_} * 3 / 2000;
    bool known = next_ticks_ && (frame_ticks_ > 0 || codec_ == Codec::Opus || is_sample_codec(codec_));
    if (known && std::abs(ticks - *next_ticks_) <= tolerance) ticks = *next_ticks_;
    next_ticks_ = ticks;
  }
  header_.timestamp = start_.timestamp + static_cast<uint32_t>(ticks);
}

void Packetizer::send(Bytes head, Bytes data, bool last, bool marker, PacketSink &sink) {
  CHECK(head.size() + data.size() <= kMaxPayload);
  if (!head.empty()) std::memcpy(payload(), head.data(), head.size());
  if (!data.empty()) std::memcpy(payload() + head.size(), data.data(), data.size());
  send_written(head.size() + data.size(), last, marker, sink);
}

void Packetizer::send_written(size_t payload_size, bool last, bool marker, PacketSink &sink) {
  header_.marker = marker;
  write_header(header_, packet_.data());
  if (!sender_.active) {
    sender_.active = true;
    sender_.ssrc = header_.ssrc;
    sender_.first_sequence = header_.sequence;
  }
  sender_.last_sequence = header_.sequence++;
  sender_.last_rtp_time = header_.timestamp;
  sender_.packets++;
  sender_.octets += payload_size;
  // What arrives is about to be decoded: its DTS is now.
  auto ahead = static_cast<uint32_t>(ns_to_ticks(facts_.pts_ns - facts_.dts_ns, clock_rate_));
  note_arrival(sender_, clock_rate_, header_.timestamp - ahead, facts_.arrival_ns, wall_ns_);
  facts_.marker = marker;
  facts_.ends_access_unit = last;
  sink.on_packet(Bytes(packet_.data(), kHeaderSize + payload_size), facts_);
  facts_.first_of_access_unit = false;
  facts_.random_access = false;
}

} // namespace sluice::rtp
