#include "workers/hls/mux/mpegts_writer.h"

#include "common/base/check.h"

#include <algorithm>
#include <cstring>

namespace sluice::hls {

using media::Codec;

namespace {

constexpr uint16_t kPatPid = 0;
constexpr uint16_t kPmtPid = 4096;
constexpr uint16_t kVideoPid = 256;
constexpr uint16_t kAudioPid = 257;
constexpr uint16_t kProgram = 1;
constexpr uint16_t kTransportStream = 1;
constexpr uint8_t kSync = 0x47;
constexpr size_t kMaxPesHead = 19;

// Table 2-34; AC-3 as ATSC A/52 annex A and Apple have it.
constexpr uint8_t kH264Stream = 0x1b;
constexpr uint8_t kMpeg1AudioStream = 0x03;
constexpr uint8_t kMpeg2AudioStream = 0x04;
constexpr uint8_t kAdtsStream = 0x0f;
constexpr uint8_t kAc3Stream = 0x81;
constexpr uint32_t kLowestMpeg1Rate = 32000;
constexpr std::array<uint8_t, 6> kAc3Registration = {0x05, 4, 'A', 'C', '-', '3'}; // registration_descriptor

// Table 2-22.
constexpr uint8_t kVideoStreamId = 0xe0;
constexpr uint8_t kAudioStreamId = 0xc0;
constexpr uint8_t kPrivateStreamId = 0xbd;

// Annex A: polynomial 0x04c11db7, most significant bit first, begins with ones.
uint32_t crc32(Bytes bytes) {
  uint32_t crc = 0xffffffff;
  for (uint8_t byte : bytes) {
    crc ^= static_cast<uint32_t>(byte) << 24;
    for (int i = 0; i < 8; i++) crc = (crc & 0x80000000) != 0 ? crc << 1 ^ 0x04c11db7 : crc << 1;
  }
  return crc;
}

uint8_t stream_type(Codec codec, uint32_t sample_rate) {
  switch (codec) {
  case Codec::H264:
    return kH264Stream;
  case Codec::MpegAudio:
    return sample_rate >= kLowestMpeg1Rate ? kMpeg1AudioStream : kMpeg2AudioStream;
  case Codec::Ac3:
    return kAc3Stream;
  default:
    return kAdtsStream;
  }
}

void append_be16(ByteVector &out, uint32_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

// 33 bits in 5 bytes: prefix (4), 3 bits, 1, 15 bits, 1, 15 bits, 1.
void store_time(uint8_t *out, uint8_t prefix, int64_t ticks) {
  auto time = static_cast<uint64_t>(ticks) & 0x1ffffffff;
  out[0] = static_cast<uint8_t>(prefix << 4 | (time >> 30 & 7) << 1 | 1);
  store_be16(out + 1, static_cast<uint16_t>((time >> 15 & 0x7fff) << 1 | 1));
  store_be16(out + 3, static_cast<uint16_t>((time & 0x7fff) << 1 | 1));
}

// Section 2.4.3.7. `size`: of the data; 0 = not stated, as only video may.
size_t make_pes_head(uint8_t stream_id, size_t size, int64_t pts, std::optional<int64_t> dts, uint8_t *out) {
  size_t times = dts ? 10 : 5;
  size_t length = size == 0 ? 0 : 3 + times + size;
  out[0] = out[1] = 0;
  out[2] = 1;
  out[3] = stream_id;
  store_be16(out + 4, static_cast<uint16_t>(length));
  out[6] = 0x84; // data_alignment_indicator
  out[7] = dts ? 0xc0 : 0x80;
  out[8] = static_cast<uint8_t>(times);
  store_time(out + 9, dts ? 3 : 2, pts);
  if (dts) store_time(out + 14, 1, *dts);
  return 9 + times;
}

} // namespace

bool MpegTsWriter::State::is_valid() const {
  constexpr uint8_t kMaxCounter = 0x0f;
  bool counts = std::all_of(counters.begin(), counters.end(), [](uint8_t counter) { return counter <= kMaxCounter; });
  return counts && pat_counter <= kMaxCounter && pmt_counter <= kMaxCounter && version <= 0x1f &&
         tracks <= media::kMaxTracks && pcr >= 0;
}

void MpegTsWriter::set_tracks(std::span<const TrackFormat *const> formats) {
  CHECK(!formats.empty() && formats.size() <= media::kMaxTracks);
  std::array<Codec, media::kMaxTracks> codecs{};
  std::array<uint32_t, media::kMaxTracks> sample_rates{};
  for (size_t i = 0; i < formats.size(); i++) {
    codecs[i] = formats[i]->codec;
    sample_rates[i] = formats[i]->sample_rate;
  }
  if (formats.size() == state_.tracks && codecs == state_.codecs && sample_rates == state_.sample_rates) return;
  if (state_.tracks > 0) state_.version = (state_.version + 1) & 0x1f;
  state_.tracks = static_cast<uint8_t>(formats.size());
  state_.codecs = codecs;
  state_.sample_rates = sample_rates;
  state_.has_video = formats[0]->video;
}

uint16_t MpegTsWriter::pid(size_t track) const {
  if (state_.has_video && track == 0) return kVideoPid;
  return static_cast<uint16_t>(kAudioPid + track - (state_.has_video ? 1 : 0));
}

// --- tables, section 2.4.4 ---

void MpegTsWriter::write_tables() {
  if (tables_end_ > 0 && tables_end_ == out_.size()) return; // there they are
  section_.clear();
  section_.insert(section_.end(), {0x00, 0xb0, 13}); // program_association_section, length
  append_be16(section_, kTransportStream);
  section_.insert(section_.end(), {0xc1, 0, 0}); // version 0, current; section 0 of 0
  append_be16(section_, kProgram);
  append_be16(section_, 0xe000 | kPmtPid);
  write_section(kPatPid, state_.pat_counter, section_);

  section_.clear();
  section_.insert(section_.end(), {0x02, 0xb0, 0}); // TS_program_map_section, length
  append_be16(section_, kProgram);
  section_.push_back(static_cast<uint8_t>(0xc1 | state_.version << 1));
  section_.insert(section_.end(), {0, 0});
  append_be16(section_, 0xe000u | pid(0)); // PCR_PID
  append_be16(section_, 0xf000);           // no descriptors
  for (size_t i = 0; i < state_.tracks; i++) {
    section_.push_back(stream_type(state_.codecs[i], state_.sample_rates[i]));
    append_be16(section_, 0xe000u | pid(i));
    Bytes descriptors = state_.codecs[i] == Codec::Ac3 ? Bytes(kAc3Registration) : Bytes();
    append_be16(section_, static_cast<uint32_t>(0xf000 | descriptors.size()));
    section_.insert(section_.end(), descriptors.begin(), descriptors.end());
  }
  section_[2] = static_cast<uint8_t>(section_.size() - 3 + 4);
  write_section(kPmtPid, state_.pmt_counter, section_);
  tables_end_ = out_.size();
}

void MpegTsWriter::write_section(uint16_t pid, uint8_t &counter, Bytes section) {
  CHECK(section.size() + 4 + 1 <= kPayloadSize);
  size_t start = out_.size();
  out_.resize(start + kPacketSize, 0xff);
  uint8_t *packet = out_.data() + start;
  packet[0] = kSync;
  store_be16(packet + 1, static_cast<uint16_t>(0x4000 | pid)); // payload_unit_start_indicator
  packet[3] = static_cast<uint8_t>(0x10 | counter);
  counter = (counter + 1) & 0x0f;
  packet[4] = 0; // pointer_field
  std::memcpy(packet + 5, section.data(), section.size());
  store_be32(packet + 5 + section.size(), crc32(section));
}

// --- media ---

// Whether a packet of the track with the PCR is to carry one; makes up for times in which there was none.
MpegTsWriter::Marks MpegTsWriter::advance_pcr(int64_t dts) {
  Marks marks;
  int64_t pcr = std::max<int64_t>(0, dts - kPcrLead);
  if (state_.discontinuity) {
    marks.discontinuity = true;
    state_.discontinuity = false;
  } else {
    if (pcr <= state_.pcr) return marks;
    while (pcr - state_.pcr > kMaxPcrInterval) {
      state_.pcr += kMaxPcrInterval;
      Marks between;
      between.pcr = state_.pcr;
      write_pcr_alone(between);
    }
  }
  state_.pcr = pcr;
  marks.pcr = pcr;
  return marks;
}

void MpegTsWriter::write_video(const Sample &sample, Bytes data) {
  if (sample.random_access) write_tables();
  Marks marks = advance_pcr(sample.dts);
  marks.random_access = sample.random_access;
  int64_t pts = std::max<int64_t>(0, sample.dts + sample.composition);
  std::array<uint8_t, kMaxPesHead> head{};
  bool both = pts > sample.dts;
  size_t size = make_pes_head(kVideoStreamId, 0, pts, both ? std::optional(sample.dts) : std::nullopt, head.data());
  write_pes(0, Bytes(head).first(size), data, marks);
}

void MpegTsWriter::write_audio(size_t track, int64_t pts, Bytes data) {
  CHECK(data.size() <= kMaxAudioBytes);
  Marks marks;
  if (track == 0) {
    marks = advance_pcr(pts);
    marks.random_access = true;
  } else if (!state_.discontinuity && pts - kPcrLead - state_.pcr > kMaxPcrInterval) {
    Marks alone = advance_pcr(pts); // pictures are that far apart
    if (alone.pcr) write_pcr_alone(alone);
  }
  uint8_t stream_id = state_.codecs[track] == Codec::Ac3
                          ? kPrivateStreamId
                          : static_cast<uint8_t>(kAudioStreamId + track - (state_.has_video ? 1 : 0));
  std::array<uint8_t, kMaxPesHead> head{};
  size_t size = make_pes_head(stream_id, data.size(), pts, std::nullopt, head.data());
  write_pes(track, Bytes(head).first(size), data, marks);
}

namespace {

// The adaptation field's content after its length byte (section 2.4.3.4); returns its size.
size_t store_adaptation(uint8_t *out, bool discontinuity, bool random_access, std::optional<int64_t> pcr) {
  out[0] = static_cast<uint8_t>((discontinuity ? 0x80 : 0) | (random_access ? 0x40 : 0) | (pcr ? 0x10 : 0));
  if (!pcr) return 1;
  auto base = static_cast<uint64_t>(*pcr) & 0x1ffffffff; // base (33), reserved (6), extension (9) = 0
  store_be32(out + 1, static_cast<uint32_t>(base >> 1));
  store_be16(out + 5, static_cast<uint16_t>((base & 1) << 15 | 0x7e00));
  return 7;
}

} // namespace

// Without payload the counter stands still.
void MpegTsWriter::write_pcr_alone(const Marks &marks) {
  size_t start = out_.size();
  out_.resize(start + kPacketSize, 0xff);
  uint8_t *packet = out_.data() + start;
  packet[0] = kSync;
  store_be16(packet + 1, pid(0));
  packet[3] = static_cast<uint8_t>(0x20 | ((state_.counters[0] - 1) & 0x0f));
  packet[4] = kPayloadSize - 1;
  store_adaptation(packet + 5, marks.discontinuity, false, marks.pcr);
}

void MpegTsWriter::write_pes(size_t track, Bytes head, Bytes data, const Marks &marks) {
  size_t left = head.size() + data.size();
  size_t adaptation = marks.pcr ? 8 : marks.random_access ? 2 : 0; // of the first packet, with its length byte
  size_t packets = (left + adaptation + kPayloadSize - 1) / kPayloadSize;
  size_t start = out_.size();
  out_.resize(start + packets * kPacketSize);
  uint8_t *packet = out_.data() + start;
  uint8_t &counter = state_.counters[track];
  for (bool first = true; left > 0; packet += kPacketSize, first = false) {
    size_t field = first ? adaptation : 0;
    size_t room = kPayloadSize - field;
    size_t taken = std::min(left, room);
    packet[0] = kSync;
    store_be16(packet + 1, static_cast<uint16_t>((first ? 0x4000 : 0) | pid(track)));
    size_t stuffed = kPayloadSize - taken; // of the whole field
    packet[3] = static_cast<uint8_t>((stuffed > 0 ? 0x30 : 0x10) | counter);
    counter = (counter + 1) & 0x0f;
    if (stuffed > 0) {
      packet[4] = static_cast<uint8_t>(stuffed - 1);
      if (stuffed > 1) {
        size_t used = 1 + (field > 0 ? store_adaptation(packet + 5, marks.discontinuity, marks.random_access, marks.pcr)
                                     : store_adaptation(packet + 5, false, false, std::nullopt));
        std::memset(packet + 4 + used, 0xff, stuffed - used);
      }
    }
    uint8_t *payload = packet + 4 + stuffed;
    if (first) {
      std::memcpy(payload, head.data(), head.size());
      payload += head.size();
    }
    size_t media = taken - (first ? head.size() : 0);
    std::memcpy(payload, data.data(), media);
    data = data.subspan(media);
    left -= taken;
  }
}

} // namespace sluice::hls
