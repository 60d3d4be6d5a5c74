#include "workers/hls/demux/elementary_stream.h"

#include "common/media/ac3.h"
#include "common/media/bit_reader.h"
#include "common/media/mpeg_audio.h"
#include "common/media/opus.h"
#include "workers/hls/demux/tracks.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr size_t kLongestHeader = 8; // that look() needs

// The rest behind the next start code 00 00 01; `unit`: what was before it, without the zeros that belong to the code.
Bytes take_until_start_code(Bytes bytes, Bytes &unit) {
  size_t end = bytes.size(), next = bytes.size();
  for (size_t i = 2; i < bytes.size();) {
    const void *one = std::memchr(&bytes[i], 1, bytes.size() - i);
    if (one == nullptr) break;
    i = static_cast<size_t>(static_cast<const uint8_t *>(one) - bytes.data());
    if (bytes[i - 1] == 0 && bytes[i - 2] == 0) {
      end = i - 2;
      next = i + 1;
      break;
    }
    i++;
  }
  while (end > 0 && bytes[end - 1] == 0) end--; // trailing_zero_8bits
  unit = bytes.first(end);
  return bytes.subspan(next);
}

Nanoseconds samples_to_ns(uint32_t samples, uint32_t rate) {
  return static_cast<Nanoseconds>(samples) * kSecond / rate;
}

// ISO/IEC 14496-3 section 1.A.2: syncword (12) | ID (1) layer (2) protection_absent (1) | profile (2) rate (4) private
// (1) channels (3) | 4 flags | frame length (13) | fullness (11) | blocks - 1 (2) | CRC (16) if protected
struct Adts {
  size_t size = 0, header = 0;
  unsigned blocks = 1;
  uint8_t object_type = 2, channels = 0;
  uint32_t sample_rate = 0; // 0: reserved
};

std::optional<Adts> parse_adts(Bytes bytes) {
  constexpr std::array<uint32_t, 13> kRates = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                               22050, 16000, 12000, 11025, 8000,  7350};
  media::BitReader reader(bytes);
  if (reader.bits(12) != 0xfff) return std::nullopt;
  reader.skip(1);
  if (reader.bits(2) != 0) return std::nullopt;
  Adts adts;
  adts.header = reader.flag() ? 7 : 9;
  adts.object_type = static_cast<uint8_t>(reader.bits(2) + 1);
  uint32_t rate = reader.bits(4);
  if (rate < kRates.size()) adts.sample_rate = kRates[rate];
  reader.skip(1);
  adts.channels = static_cast<uint8_t>(reader.bits(3));
  reader.skip(4);
  adts.size = reader.bits(13);
  reader.skip(11);
  adts.blocks = reader.bits(2) + 1;
  if (!reader.ok() || adts.size < adts.header) return std::nullopt;
  return adts;
}

} // namespace

void ElementaryStream::push(Bytes payload, const PesTimes &times, DemuxSink &sink) {
  if (is_video()) {
    push_video(payload, times, sink);
  } else if (codec_ == Codec::Opus) {
    push_opus(payload, times, sink);
  } else {
    push_frames(payload, times, sink);
  }
}

void ElementaryStream::on_loss() {
  rest_.clear();
  has_next_pts_ = false;
  loss_ = true;
}

void ElementaryStream::describe(FoundTrack track, DemuxSink &sink) {
  if (track_ && *track_ == track) return;
  track_ = std::move(track);
  sink.on_track(index_, *track_);
}

void ElementaryStream::emit(std::span<const Bytes> units, const PesTimes &times, DemuxSink &sink) {
  if (!track_ || !times.pts_ns || units.empty()) {
    dropped_units_++;
    return;
  }
  sink.on_access_unit(index_, {.units = units,
                               .pts_ns = *times.pts_ns,
                               .dts_ns = times.dts_ns,
                               .random_access = times.random_access,
                               .after_loss = loss_});
  loss_ = false;
}

void ElementaryStream::push_video(Bytes payload, const PesTimes &times, DemuxSink &sink) {
  nal_units_.begin();
  Bytes unit;
  payload = take_until_start_code(payload, unit); // nothing but zeros is before the first one
  while (!payload.empty()) {
    payload = take_until_start_code(payload, unit);
    if (nal_units_.add(unit)) continue;
    dropped_units_++;
    return on_loss();
  }
  if (auto changed = nal_units_.take_change()) describe(std::move(*changed), sink);
  emit(nal_units_.units(), {times.pts_ns, times.dts_ns, times.random_access || nal_units_.is_random_access()}, sink);
}

// What the bytes begin with; empty: no frame.
std::optional<ElementaryStream::Frame> ElementaryStream::look(Bytes bytes) {
  if (codec_ == Codec::MpegAudio) {
    auto frame = media::parse_mpeg_audio_header(bytes);
    if (!frame || frame->size < 4) return std::nullopt;
    return Frame{frame->size, 0, samples_to_ns(frame->samples, frame->sample_rate), mpeg_audio_track(frame->channels)};
  }
  if (codec_ == Codec::Ac3) {
    auto frame = media::parse_ac3_header(bytes);
    if (!frame || frame->size < kLongestHeader) return std::nullopt;
    return Frame{frame->size, 0, samples_to_ns(media::kAc3FrameSamples, frame->sample_rate),
                 ac3_track(frame->sample_rate, frame->channels)};
  }
  auto adts = parse_adts(bytes);
  // Channel configuration 0 means that a program config element says it; several blocks in a frame are in no use.
  if (!adts || adts->sample_rate == 0 || adts->channels == 0 || adts->blocks != 1) return std::nullopt;
  media::AacConfig config;
  config.object_type = adts->object_type;
  config.sample_rate = adts->sample_rate;
  config.channel_count = adts->channels == 7 ? 8 : adts->channels;
  return Frame{adts->size, adts->header, samples_to_ns(config.frame_samples(), config.sample_rate), aac_track(config)};
}

void ElementaryStream::push_frames(Bytes payload, const PesTimes &times, DemuxSink &sink) {
  // The time of a packet is that of the first frame that begins in it.
  size_t begins_here = rest_.size();
  bool timed = !times.pts_ns.has_value();
  ByteVector bytes = std::move(rest_);
  rest_.clear();
  if (bytes.size() + payload.size() > rtp::kMaxAccessUnit) return on_loss();
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  Bytes left(bytes);
  bool skipping = false;
  while (left.size() >= kLongestHeader) {
    auto frame = look(left);
    if (!frame) {
      dropped_units_ += skipping ? 0 : 1;
      loss_ = skipping = true;
      left = left.subspan(1);
      continue;
    }
    if (frame->size > left.size()) break;
    skipping = false;
    if (!timed && bytes.size() - left.size() >= begins_here) {
      next_pts_ = *times.pts_ns;
      timed = has_next_pts_ = true;
    }
    Bytes unit = left.subspan(frame->header, frame->size - frame->header);
    left = left.subspan(frame->size);
    std::optional<Nanoseconds> pts = has_next_pts_ ? std::optional(next_pts_) : std::nullopt;
    next_pts_ += frame->duration;
    if (unit.empty()) continue;
    describe(std::move(frame->track), sink);
    emit({&unit, 1}, {pts, next_pts_ - frame->duration, true}, sink);
  }
  if (!timed && bytes.size() - left.size() >= begins_here) {
    next_pts_ = *times.pts_ns; // the frame that goes on in the next packet began in this one
    has_next_pts_ = true;
  }
  rest_.assign(left.begin(), left.end());
}

// The mapping of Opus into MPEG-2 TS: prefix 0x3ff (11) | start trim (1) end trim (1) extension (1) 0 (2) | size: bytes
// of 255 and one less | start trim (16) | end trim (16) | extension: length (8), bytes | a packet of that size
void ElementaryStream::push_opus(Bytes payload, const PesTimes &times, DemuxSink &sink) {
  if (times.pts_ns) {
    next_pts_ = *times.pts_ns;
    has_next_pts_ = true;
  }
  ByteReader reader(payload);
  while (auto head = reader.u16()) {
    if (*head >> 5 != 0x3ff) break;
    size_t size = 0;
    std::optional<uint8_t> byte;
    do {
      byte = reader.u8();
      size += byte.value_or(0);
    } while (byte == 255);
    size_t trims = ((*head & 0x10) != 0 ? 2U : 0U) + ((*head & 0x08) != 0 ? 2U : 0U);
    if (!reader.bytes(trims)) break;
    if ((*head & 0x04) != 0 && !reader.bytes(reader.u8().value_or(0))) break;
    auto packet = reader.bytes(size);
    if (!packet || packet->empty()) break;
    auto duration = media::opus_packet_duration(*packet);
    if (!duration) break;
    describe(opus_track(channels_ == 1 ? 1 : 2), sink);
    std::optional<Nanoseconds> pts = has_next_pts_ ? std::optional(next_pts_) : std::nullopt;
    Bytes unit = *packet;
    emit({&unit, 1}, {pts, next_pts_, true}, sink);
    next_pts_ += *duration;
    if (reader.rest().empty()) return;
  }
  if (payload.empty()) return;
  dropped_units_++;
  loss_ = true;
}

} // namespace sluice::hls
