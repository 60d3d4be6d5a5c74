// Packets, sections and PES headers of MPEG transport streams (ISO/IEC 13818-1 sections 2.4.3 and 2.4.4). Pure; what is
// returned points into the input.
//
//   packet: 0x47 | error (1) begins (1) priority (1) PID (13) | scrambling (2) adaptation (1) payload (1) counter (4)
//   | length (8), discontinuity (1) random access (1) … if there is adaptation | payload
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <optional>
#include <vector>

namespace sluice::hls {

constexpr size_t kTsPacket = 188;
constexpr uint8_t kTsSync = 0x47;
constexpr uint16_t kPatPid = 0;
constexpr uint16_t kNullPid = 0x1fff;
constexpr size_t kMaxSection = 1024; // of PAT and PMT
constexpr size_t kMaxPrograms = 64;  // further ones are ignored, and as many streams

struct TsPacket {
  uint16_t pid = 0;
  bool damaged = false; // on the way, or scrambled
  bool begins = false;  // payload_unit_start_indicator
  uint8_t counter = 0;  // modulo 16, counts packets with payload
  bool discontinuity = false;
  bool random_access = false;
  Bytes payload; // empty: none
};

// From kTsPacket bytes. Empty: it does not begin with the sync byte, or its adaptation field does not fit.
std::optional<TsPacket> parse_ts_packet(Bytes bytes);

// Puts the sections of a PID together (2.4.4). Each pointer field begins anew.
class SectionAssembler {
public:
  // Calls on_section(Bytes) with each section that is complete, from its table_id to its CRC, which is right.
  template <class OnSection> void push(const TsPacket &packet, OnSection on_section) {
    Bytes rest = packet.payload;
    if (packet.begins) {
      if (rest.empty()) return;
      size_t pointer = rest[0];
      rest = rest.subspan(1);
      if (pointer > rest.size()) return reset();
      take(rest.first(pointer), on_section);
      rest = rest.subspan(pointer);
      buffer_.clear();
      open_ = true;
    }
    take(rest, on_section);
  }
  void reset() {
    buffer_.clear();
    open_ = false;
  }

private:
  template <class OnSection> void take(Bytes bytes, OnSection &on_section) {
    while (open_ && !bytes.empty()) {
      size_t wanted = missing();
      size_t taken = bytes.size() < wanted ? bytes.size() : wanted;
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(taken));
      bytes = bytes.subspan(taken);
      if (!is_possible()) return reset();
      if (missing() > 0) continue;
      if (is_right()) on_section(Bytes(buffer_));
      buffer_.clear();
    }
  }
  size_t missing() const;
  bool is_possible() const; // else it is stuffing, or too long
  bool is_right() const;    // by its CRC

  ByteVector buffer_;
  bool open_ = false;
};

// CRC of sections: polynomial 0x04c11db7, all ones first; 0 over a section with its CRC.
uint32_t ts_crc(Bytes bytes);

struct Pat {
  std::vector<uint16_t> pmt_pids; // of programs, in order
};

struct PmtStream {
  uint8_t type = 0; // stream_type
  uint16_t pid = 0;
  uint32_t registration = 0; // format_identifier of a registration descriptor; 0: none
  bool has_ac3_descriptor = false;
  uint8_t opus_channels = 0; // of the DVB extension descriptor for Opus; 0: none

  bool operator==(const PmtStream &) const = default;
};

struct Pmt {
  std::vector<PmtStream> streams;
};

// From whole sections. Empty: another table, not in force yet, or malformed.
std::optional<Pat> parse_pat(Bytes section);
std::optional<Pmt> parse_pmt(Bytes section);

struct PesHeader {
  size_t size = 0;               // of the header
  std::optional<size_t> payload; // bytes behind the header; empty: until the next one
  std::optional<uint64_t> pts;   // 33 bits, 90 kHz
  std::optional<uint64_t> dts;   // only where it differs
};

// From the first bytes of a PES packet; all of its header is there, which is at most 265 bytes long. Errors: no PES
// packet with media in it. Empty: more bytes are needed.
Result<std::optional<PesHeader>> parse_pes_header(Bytes bytes);

} // namespace sluice::hls
