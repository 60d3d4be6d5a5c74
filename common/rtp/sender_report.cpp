#include "common/rtp/sender_report.h"

#include "common/rtp/sequence.h"

namespace sluice::rtp {

namespace {

uint32_t rtp_time_at(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic) {
  int64_t ticks = ns_to_ticks(monotonic - state.reference_monotonic, clock_rate);
  return state.reference_rtp_time + static_cast<uint32_t>(ticks);
}

} // namespace

std::optional<SenderReport> sender_report(const SenderState &state, uint32_t clock_rate, Nanoseconds monotonic,
                                          Nanoseconds wall) {
  if (!state.active || !state.has_reference) return std::nullopt;
  SenderReport report;
  report.ssrc = state.ssrc;
  report.ntp = ntp_from_wall(wall);
  report.rtp_time = rtp_time_at(state, clock_rate, monotonic);
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
