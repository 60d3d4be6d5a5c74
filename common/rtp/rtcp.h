// RTCP (RFC 3550 section 6). Pure: bytes to reports and back.
//
//   |V=2|P| count |      PT       |  length in words - 1 (16)     |   SR = 200, RR = 201, SDES = 202, BYE = 203
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

#include <array>
#include <string_view>

namespace sluice::rtp {

struct ReportBlock {
  uint32_t ssrc = 0; // of the source that is reported on
  uint8_t fraction_lost = 0;
  int32_t cumulative_lost = 0; // 24 bits, signed
  uint32_t highest_sequence = 0;
  uint32_t jitter = 0; // in timestamp units
  uint32_t last_sr = 0;
  uint32_t delay_since_last_sr = 0; // 1/65536 s
};

struct SenderReport {
  uint32_t ssrc = 0;
  uint64_t ntp = 0; // seconds since 1900, 32.32 fixed point
  uint32_t rtp_time = 0;
  uint32_t packet_count = 0;
  uint32_t octet_count = 0;
};

// What parse_rtcp finds, in the order of the packets. Texts are views of the input.
class RtcpListener {
public:
  virtual void on_sender_report(const SenderReport &) {}
  virtual void on_report_block(uint32_t /*reporter_ssrc*/, const ReportBlock &) {}
  virtual void on_source_name(uint32_t /*ssrc*/, std::string_view /*cname*/) {}
  virtual void on_bye(uint32_t /*ssrc*/) {}

protected:
  ~RtcpListener() = default;
};

// A compound packet. Other packet types are skipped. Errors: lengths that do not fit; what precedes the fault
// has then been reported already. An empty input is an error.
Result<void> parse_rtcp(Bytes compound, RtcpListener &listener);

uint64_t ntp_from_wall(Nanoseconds since_1970);

// A small packet with its length; what the functions below make.
constexpr size_t kMaxCname = 64; // longer names are cut
struct RtcpPacket {
  std::array<uint8_t, 128> buffer;
  size_t size = 0;

  Bytes bytes() const { return {buffer.data(), size}; }
};

// An SR without report blocks, then SDES with the CNAME.
RtcpPacket make_sender_report(const SenderReport &report, std::string_view cname);
// An RR with one report block.
RtcpPacket make_receiver_report(uint32_t own_ssrc, const ReportBlock &block);
// An RR without blocks, that opens a NAT's or firewall's hole.
RtcpPacket make_empty_receiver_report(uint32_t own_ssrc);

} // namespace sluice::rtp
