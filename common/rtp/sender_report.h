// Sender reports and RTP-Info of a stream that is sent on as it was received: both extrapolate the RTP time from
// the last packet whose PTS equals its DTS to now. Or the report says what the publisher's own would say now.
#pragma once

#include "common/base/time.h"
#include "common/rtp/rtcp.h"

#include <cstdint>
#include <optional>

namespace sluice::rtp {

// What a track's packets tell; plain data, so that it can stand in shared memory.
struct SenderState {
  bool active = false; // a packet was seen; nothing below means anything before
  uint32_t ssrc = 0;
  uint16_t first_sequence = 0;
  uint16_t last_sequence = 0;
  uint32_t last_rtp_time = 0;
  bool has_reference = false; // a packet whose PTS equals its DTS was seen
  uint32_t reference_rtp_time = 0;
  Nanoseconds reference_monotonic = 0;
  Nanoseconds reference_wall = 0;
  uint64_t packets = 0;
  uint64_t octets = 0;              // of payload
  bool has_publisher_clock = false; // the publisher sent a report, and readers are to be told its time
  uint64_t publisher_ntp = 0;
  uint32_t publisher_rtp_time = 0;
  Nanoseconds publisher_monotonic = 0; // when it arrived
};

// A packet with this RTP time, whose PTS equals its DTS, has come. The reference follows what comes earliest: network
// and scheduling only ever delay. What comes later than it says moves it by kMostDrift at most, so that reports of
// several tracks stay in step while a machine is busy; beyond kResynchronise it is taken as it is.
constexpr Nanoseconds kResynchronise = 2 * kSecond;
constexpr int64_t kMostDrift = 1000; // a thousandth of the time that has passed
void note_arrival(SenderState &state, uint32_t clock_rate, uint32_t rtp_time, Nanoseconds monotonic, Nanoseconds wall);

// With the publisher's clock: the point of the line through its report, one second of NTP time per clock rate of RTP
// time, that lies as far on as time has passed since. The line depends on nothing but its report. Else the
// server's: the RTP time of now, and `wall`; empty when there is no reference yet.
std::optional<SenderReport> sender_report(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic,
                                          Nanoseconds wall);

struct RtpInfo {
  uint16_t sequence = 0;
  std::optional<uint32_t> rtp_time; // empty when there is no reference yet
};

// For the answer to PLAY: the number of the next packet, and the RTP time of now less a tenth of a second.
// Empty when the track had no traffic.
std::optional<RtpInfo> rtp_info(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic);

} // namespace sluice::rtp
