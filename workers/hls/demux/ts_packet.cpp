#include "workers/hls/demux/ts_packet.h"

#include <algorithm>
#include <array>

namespace sluice::hls {

namespace {

constexpr uint8_t kPatTable = 0, kPmtTable = 2;
constexpr size_t kSectionHead = 3;     // with the length
constexpr size_t kLongSectionHead = 8; // with version and numbers
constexpr size_t kCrc = 4;
constexpr uint8_t kRegistration = 0x05; // descriptors
constexpr uint8_t kDvbAc3 = 0x6a;
constexpr uint8_t kDvbExtension = 0x7f;
constexpr uint8_t kDvbOpus = 0x80; // ETSI TS 101 154 and the mapping of Opus: channel_config_code

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); i++) {
    uint32_t value = i << 24;
    for (int bit = 0; bit < 8; bit++) value = (value << 1) ^ ((value >> 31) != 0 ? 0x04c11db7U : 0);
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

// Of a section with the long head, in force: what is between head and CRC.
std::optional<Bytes> section_body(Bytes section, uint8_t table) {
  if (section.size() < kLongSectionHead + kCrc || section[0] != table) return std::nullopt;
  bool in_force = (section[5] & 1) != 0;
  if (!in_force) return std::nullopt;
  return section.subspan(kLongSectionHead, section.size() - kLongSectionHead - kCrc);
}

void read_descriptors(Bytes bytes, PmtStream &stream) {
  ByteReader reader(bytes);
  while (auto tag = reader.u8()) {
    auto length = reader.u8();
    auto body = length ? reader.bytes(*length) : std::nullopt;
    if (!body) return;
    if (*tag == kRegistration && body->size() >= 4) stream.registration = load_be32(body->data());
    if (*tag == kDvbAc3) stream.has_ac3_descriptor = true;
    if (*tag == kDvbExtension && body->size() >= 2 && (*body)[0] == kDvbOpus) stream.opus_channels = (*body)[1];
  }
}

// 33 bits in 5 bytes with markers (2.4.3.7).
uint64_t read_timestamp(const uint8_t *p) {
  return static_cast<uint64_t>(p[0] >> 1 & 7) << 30 | static_cast<uint64_t>(p[1]) << 22 |
         static_cast<uint64_t>(p[2] >> 1) << 15 | static_cast<uint64_t>(p[3]) << 7 | p[4] >> 1;
}

// stream_ids whose packets have no header behind the length, and those that hold no media.
bool has_media(uint8_t stream_id) {
  bool video_or_audio = stream_id >= 0xc0 && stream_id <= 0xef;
  return video_or_audio || stream_id == 0xbd || stream_id == 0xfd || stream_id == 0xfa;
}

} // namespace

std::optional<TsPacket> parse_ts_packet(Bytes bytes) {
  if (bytes.size() < kTsPacket || bytes[0] != kTsSync) return std::nullopt;
  TsPacket packet;
  uint16_t word = load_be16(&bytes[1]);
  packet.damaged = (word & 0x8000) != 0 || (bytes[3] & 0xc0) != 0;
  packet.begins = (word & 0x4000) != 0;
  packet.pid = word & 0x1fff;
  packet.counter = bytes[3] & 0x0f;
  size_t begin = 4;
  if ((bytes[3] & 0x20) != 0) {
    size_t length = bytes[begin];
    if (begin + 1 + length > kTsPacket) return std::nullopt;
    if (length > 0) {
      packet.discontinuity = (bytes[begin + 1] & 0x80) != 0;
      packet.random_access = (bytes[begin + 1] & 0x40) != 0;
    }
    begin += 1 + length;
  }
  if ((bytes[3] & 0x10) != 0) packet.payload = bytes.subspan(begin, kTsPacket - begin);
  return packet;
}

uint32_t ts_crc(Bytes bytes) {
  uint32_t crc = 0xffffffff;
  for (uint8_t byte : bytes) crc = (crc << 8) ^ kCrcTable[(crc >> 24) ^ byte];
  return crc;
}

size_t SectionAssembler::missing() const {
  if (buffer_.size() < kSectionHead) return kSectionHead - buffer_.size();
  size_t size = kSectionHead + (load_be16(&buffer_[1]) & 0x0fff);
  return size - std::min(size, buffer_.size());
}

bool SectionAssembler::is_possible() const {
  if (buffer_[0] == 0xff) return false;
  return buffer_.size() < kSectionHead || kSectionHead + (load_be16(&buffer_[1]) & 0x0fff) <= kMaxSection;
}

bool SectionAssembler::is_right() const {
  bool has_crc = (buffer_[1] & 0x80) != 0; // section_syntax_indicator
  return has_crc && buffer_.size() >= kLongSectionHead + kCrc && ts_crc(buffer_) == 0;
}

std::optional<Pat> parse_pat(Bytes section) {
  auto body = section_body(section, kPatTable);
  if (!body) return std::nullopt;
  Pat pat;
  ByteReader reader(*body);
  while (auto program = reader.u16()) {
    auto pid = reader.u16();
    if (!pid) return std::nullopt;
    if (*program != 0 && pat.pmt_pids.size() < kMaxPrograms) pat.pmt_pids.push_back(*pid & 0x1fff);
  }
  return pat;
}

std::optional<Pmt> parse_pmt(Bytes section) {
  auto body = section_body(section, kPmtTable);
  if (!body) return std::nullopt;
  ByteReader reader(*body);
  auto pcr_pid = reader.u16();
  auto info_length = reader.u16();
  if (!pcr_pid || !info_length || !reader.bytes(*info_length & 0x0fff)) return std::nullopt;
  Pmt pmt;
  while (auto type = reader.u8()) {
    auto pid = reader.u16();
    auto length = reader.u16();
    auto descriptors = length ? reader.bytes(*length & 0x0fff) : std::nullopt;
    if (!pid || !descriptors) return std::nullopt;
    PmtStream stream;
    stream.type = *type;
    stream.pid = *pid & 0x1fff;
    read_descriptors(*descriptors, stream);
    if (pmt.streams.size() < kMaxPrograms) pmt.streams.push_back(stream);
  }
  return pmt;
}

Result<std::optional<PesHeader>> parse_pes_header(Bytes bytes) {
  constexpr size_t kFixed = 9;
  if (bytes.size() >= 4) {
    bool starts = bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 1;
    if (!starts || !has_media(bytes[3])) return Error{"no PES packet with media"};
  }
  if (bytes.size() < kFixed) return std::optional<PesHeader>{};
  if ((bytes[6] & 0xc0) != 0x80) return Error{"invalid PES header"};
  PesHeader header;
  header.size = kFixed + bytes[8];
  if (bytes.size() < header.size) return std::optional<PesHeader>{};
  if (size_t length = load_be16(&bytes[4]); length > 0) {
    size_t head = header.size - 6; // of what the length counts
    if (length < head) return Error{"invalid PES header: its length"};
    header.payload = length - head;
  }
  unsigned flags = bytes[7] >> 6;
  if ((flags & 2) != 0 && bytes[8] >= 5) header.pts = read_timestamp(&bytes[kFixed]);
  if (flags == 3 && bytes[8] >= 10) header.dts = read_timestamp(&bytes[kFixed + 5]);
  return std::optional(header);
}

} // namespace sluice::hls
