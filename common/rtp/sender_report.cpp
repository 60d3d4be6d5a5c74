#include "common/rtp/sender_report.h"

#include "common/rtp/sequence.h"

#include <algorithm>

namespace sluice::rtp {

namespace {

uint32_t rtp_time_at(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic) {
  int64_t ticks = ns_to_ticks(monotonic - state.reference_monotonic, clock_rate);
  return state.reference_rtp_time + static_cast<uint32_t>(ticks);
}

// Whole ticks, so that the NTP time belongs to exactly this RTP time, but for a rounding below 2^-32 s.
void extrapolate_publisher_clock(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic,
                                 SenderReport &report) {
  constexpr Nanoseconds kLongest = Nanoseconds{10} * 365 * 86400 * kSecond;
  Nanoseconds elapsed = std::clamp(monotonic - state.publisher_monotonic, -kLongest, kLongest);
  int64_t ticks = ns_to_ticks(elapsed, clock_rate), rate = clock_rate;
  int64_t seconds = (ticks < 0 ? ticks - rate + 1 : ticks) / rate; // rounded down
  auto rest = static_cast<uint64_t>(ticks - seconds * rate);
  report.rtp_time = state.publisher_rtp_time + static_cast<uint32_t>(ticks);
  report.ntp = state.publisher_ntp + (static_cast<uint64_t>(seconds) << 32) + (rest << 32) / clock_rate;
}

} // namespace

void note_arrival(SenderState &state, uint32_t clock_rate, uint32_t rtp_time, Nanoseconds monotonic, Nanoseconds wall) {
  Nanoseconds earlier = 0; // than it came
  if (state.has_reference) {
    Nanoseconds passed = ticks_to_ns(static_cast<int32_t>(rtp_time - state.reference_rtp_time), clock_rate);
    Nanoseconds late = monotonic - (state.reference_monotonic + passed);
    if (late > 0 && late < kResynchronise)
      earlier = late - std::min(late, std::max<Nanoseconds>(passed, 0) / kMostDrift);
  }
  state.has_reference = true;
  state.reference_rtp_time = rtp_time;
  state.reference_monotonic = monotonic - earlier;
  state.reference_wall = wall - earlier;
}

std::optional<SenderReport> sender_report(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic,
                                          Nanoseconds wall) {
  if (!state.active || !(state.has_reference || state.has_publisher_clock)) return std::nullopt;
  SenderReport report;
  report.ssrc = state.ssrc;
  if (state.has_publisher_clock) {
    extrapolate_publisher_clock(state, clock_rate, monotonic, report);
  } else {
    report.ntp = ntp_from_wall(wall);
    report.rtp_time = rtp_time_at(state, clock_rate, monotonic);
  }
  report.packet_count = static_cast<uint32_t>(state.packets);
  report.octet_count = static_cast<uint32_t>(state.octets);
  return report;
}

std::optional<RtpInfo> rtp_info(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic) {
  if (!state.active) return std::nullopt;
  RtpInfo info;
  info.sequence = static_cast<uint16_t>(state.last_sequence + 1);
  if (state.has_reference) info.rtp_time = rtp_time_at(state, clock_rate, monotonic) - clock_rate / 10;
  return info;
}

} // namespace sluice::rtp
