#include "workers/rtsp/moved_sender.h"

namespace sluice::rtsp {

Nanoseconds MovedSender::first_seen(const std::string &address, Nanoseconds now) {
  for (const Seen &seen : seen_)
    if (seen.address == address) return seen.since;
  seen_[next_++ % seen_.size()] = {address, now};
  return now;
}

std::optional<size_t> MovedSender::on_offer(const control::StrayOffer &offer, std::span<const Track> tracks,
                                            Nanoseconds now) {
  const control::StrayDatagram &stray = offer.datagram;
  if (moves_ >= kMaxMoves) return std::nullopt;
  for (size_t i = 0; i < tracks.size(); i++) {
    if (tracks[i].ssrc != stray.ssrc) continue;
    const auto &heard = stray.rtcp ? tracks[i].report_heard : tracks[i].heard;
    if (heard && now - *heard < (stray.rtcp ? kReportSilence : kSilence)) return std::nullopt;
    return 2 * i + (stray.rtcp ? 1 : 0);
  }
  if (!offer.alone || stray.rtcp) return std::nullopt; // reports follow their packets
  std::optional<size_t> fitting;
  for (size_t i = 0; i < tracks.size(); i++) {
    if (tracks[i].ssrc || tracks[i].payload_type != stray.payload_type) continue;
    if (fitting) return std::nullopt;
    fitting = 2 * i;
  }
  if (!fitting || now - first_seen(stray.address, now) < kPatience) return std::nullopt;
  return fitting;
}

} // namespace sluice::rtsp
