#include "workers/hls/demux/mpegts_reader.h"

#include <algorithm>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr uint32_t four(const char (&text)[5]) {
  return static_cast<uint32_t>(text[0]) << 24 | static_cast<uint32_t>(text[1]) << 16 |
         static_cast<uint32_t>(text[2]) << 8 | static_cast<uint32_t>(text[3]);
}

// By stream_type (ISO/IEC 13818-1 table 2-34; 0x81: ATSC A/52 annex A).
Codec codec_of(const PmtStream &stream) {
  switch (stream.type) {
  case 0x03:
  case 0x04:
    return Codec::MpegAudio;
  case 0x06: // private data: descriptors tell
    if (stream.registration == four("Opus") && stream.opus_channels <= 2) return Codec::Opus;
    if (stream.registration == four("AC-3") || stream.has_ac3_descriptor) return Codec::Ac3;
    return Codec::Other;
  case 0x0f:
    return Codec::Aac;
  case 0x1b:
    return Codec::H264;
  case 0x24:
    return Codec::H265;
  case 0x81:
    return Codec::Ac3;
  default:
    return Codec::Other;
  }
}

} // namespace

void MpegTsReader::push(Bytes bytes, DemuxSink &sink) {
  if (!pending_.empty()) {
    size_t joined = std::min(bytes.size(), 2 * kTsPacket);
    pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(joined));
    size_t used = take_packets(pending_, sink);
    size_t left = pending_.size() - used;
    if (left > joined || joined == bytes.size()) {
      pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(used));
      return;
    }
    bytes = bytes.subspan(joined - left);
    pending_.clear();
  }
  size_t used = take_packets(bytes, sink);
  pending_.assign(bytes.begin() + static_cast<ptrdiff_t>(used), bytes.end());
}

// How many bytes are done with; fewer than a packet are left, or than two where its begin is not certain.
size_t MpegTsReader::take_packets(Bytes bytes, DemuxSink &sink) {
  size_t at = 0;
  while (bytes.size() - at >= kTsPacket) {
    if (in_sync_ && bytes[at] == kTsSync) {
      if (auto packet = parse_ts_packet(bytes.subspan(at, kTsPacket))) {
        on_packet(*packet, sink);
      } else {
        lost_packets_++;
      }
      at += kTsPacket;
      continue;
    }
    if (in_sync_) lost_packets_++;
    in_sync_ = false;
    if (bytes.size() - at <= kTsPacket) break;
    if (bytes[at] == kTsSync && bytes[at + kTsPacket] == kTsSync) {
      in_sync_ = true;
    } else {
      at++;
    }
  }
  return at;
}

void MpegTsReader::end_segment(DemuxSink &sink) {
  if (!pending_.empty()) lost_packets_++;
  pending_.clear();
  in_sync_ = true;
  for (Stream &stream : streams_) {
    bool complete = stream.header && (!stream.header->payload || stream.pes.size() >= *stream.header->payload);
    if (stream.open && complete) finish_pes(stream, sink);
  }
}

void MpegTsReader::begin_discontinuity(DemuxSink &sink) {
  end_segment(sink);
  for (Stream &stream : streams_) {
    stream.open = false;
    stream.counter.reset();
    stream.units.reset();
  }
  pat_sections_.reset();
  pmt_sections_.reset();
  pat_counter_.reset();
  pmt_counter_.reset();
  timeline_.reset();
}

uint64_t MpegTsReader::dropped_units() const {
  uint64_t count = earlier_dropped_units_;
  for (const Stream &stream : streams_) count += stream.units.dropped_units();
  return count;
}

// Whether the packet continues what came of its PID; `repeated`: it is there a second time.
bool MpegTsReader::follows(std::optional<uint8_t> &counter, const TsPacket &packet, bool &repeated) {
  bool first = !counter;
  repeated = !first && *counter == packet.counter && !packet.discontinuity;
  bool expected = first || packet.discontinuity || packet.counter == ((*counter + 1) & 0x0f);
  counter = packet.counter;
  if (!expected && !repeated) lost_packets_++;
  return expected;
}

void MpegTsReader::on_packet(const TsPacket &packet, DemuxSink &sink) {
  if (packet.pid == kNullPid || packet.payload.empty()) return;
  if (packet.pid == kPatPid || packet.pid == pmt_pid_) return on_tables(packet, sink);
  for (Stream &stream : streams_) {
    if (stream.source.pid == packet.pid) return on_media(stream, packet, sink);
  }
}

void MpegTsReader::on_tables(const TsPacket &packet, DemuxSink &sink) {
  bool is_pat = packet.pid == kPatPid;
  SectionAssembler &sections = is_pat ? pat_sections_ : pmt_sections_;
  bool repeated = false;
  bool expected = follows(is_pat ? pat_counter_ : pmt_counter_, packet, repeated);
  if (repeated) return;
  if (!expected || packet.damaged) sections.reset();
  if (packet.damaged) return;
  if (is_pat) {
    sections.push(packet, [&](Bytes section) {
      auto pat = parse_pat(section);
      if (!pat || pat->pmt_pids.empty() || pat->pmt_pids[0] == pmt_pid_) return;
      pmt_pid_ = pat->pmt_pids[0];
      pmt_sections_.reset();
      pmt_counter_.reset();
    });
  } else {
    sections.push(packet, [&](Bytes section) {
      if (auto pmt = parse_pmt(section)) on_pmt(*pmt, sink);
    });
  }
}

void MpegTsReader::on_pmt(const Pmt &pmt, DemuxSink &sink) {
  std::vector<PmtStream> carried;
  for (const PmtStream &stream : pmt.streams) {
    if (codec_of(stream) != Codec::Other && carried.size() < media::kMaxTracks) carried.push_back(stream);
  }
  auto same = [](const Stream &known, const PmtStream &stream) { return known.source == stream; };
  if (!carried.empty() && std::equal(streams_.begin(), streams_.end(), carried.begin(), carried.end(), same)) return;
  for (Stream &stream : streams_) {
    if (stream.open && stream.header && !stream.header->payload) finish_pes(stream, sink);
    earlier_dropped_units_ += stream.units.dropped_units();
  }
  streams_.clear();
  for (const PmtStream &stream : carried)
    streams_.push_back({stream, ElementaryStream(codec_of(stream), streams_.size(), stream.opus_channels), {}});
  sink.on_tracks(streams_.size());
}

void MpegTsReader::drop(Stream &stream) {
  stream.open = false;
  stream.units.on_loss();
}

void MpegTsReader::on_media(Stream &stream, const TsPacket &packet, DemuxSink &sink) {
  bool repeated = false;
  bool expected = follows(stream.counter, packet, repeated);
  if (repeated) return;
  if (!expected || packet.damaged) drop(stream);
  if (packet.damaged) return;
  if (packet.begins) return begin_pes(stream, packet, sink);
  if (stream.open) append(stream, packet.payload, sink);
}

void MpegTsReader::begin_pes(Stream &stream, const TsPacket &packet, DemuxSink &sink) {
  auto header = parse_pes_header(packet.payload);
  bool goes_on = header && *header && !(*header)->pts && stream.units.is_video() && stream.open;
  if (goes_on) {
    // A picture that needs several packets.
    stream.header->payload.reset();
    return append(stream, packet.payload.subspan((*header)->size), sink);
  }
  if (stream.open) {
    bool cut = stream.header && stream.header->payload && stream.pes.size() < *stream.header->payload;
    if (cut) {
      drop(stream);
    } else {
      finish_pes(stream, sink);
    }
  }
  // Headers that go on in the next packet do not exist in practice; they have room for more than timestamps.
  if (!header || !*header) return drop(stream);
  stream.open = true;
  stream.header = **header;
  stream.random_access = packet.random_access;
  stream.pes.clear();
  append(stream, packet.payload.subspan(stream.header->size), sink);
}

void MpegTsReader::append(Stream &stream, Bytes payload, DemuxSink &sink) {
  if (stream.header->payload)
    payload = payload.first(std::min(payload.size(), *stream.header->payload - stream.pes.size()));
  if (stream.pes.size() + payload.size() > rtp::kMaxAccessUnit) return drop(stream);
  stream.pes.insert(stream.pes.end(), payload.begin(), payload.end());
  // Of video the next packet may belong to the same picture.
  if (!stream.units.is_video() && stream.header->payload && stream.pes.size() == *stream.header->payload)
    finish_pes(stream, sink);
}

void MpegTsReader::finish_pes(Stream &stream, DemuxSink &sink) {
  stream.open = false;
  PesTimes times;
  times.random_access = stream.random_access && stream.units.is_video();
  if (stream.header->pts) {
    times.dts_ns = timeline_.unroll(stream.header->dts.value_or(*stream.header->pts));
    times.pts_ns = timeline_.unroll_near(*stream.header->pts);
  }
  if (!stream.pes.empty()) stream.units.push(stream.pes, times, sink);
}

} // namespace sluice::hls
