#include "common/rtp/reception_statistics.h"

#include "common/rtp/sequence.h"

#include <algorithm>
#include <cmath>

namespace sluice::rtp {

void ReceptionStatistics::on_packet(uint64_t extended_sequence, uint32_t timestamp, Nanoseconds arrival) {
  if (received_ == 0) {
    base_ = extended_sequence;
    highest_ = extended_sequence;
  }
  received_++;
  base_ = std::min(base_, extended_sequence);
  highest_ = std::max(highest_, extended_sequence);

  // RFC 3550 section A.8
  uint32_t transit = static_cast<uint32_t>(ns_to_ticks(arrival, clock_rate_)) - timestamp;
  if (has_transit_) {
    double difference = std::abs(static_cast<double>(static_cast<int32_t>(transit - transit_)));
    jitter_ += (difference - jitter_) / 16;
  }
  transit_ = transit;
  has_transit_ = true;
}

void ReceptionStatistics::on_sender_report(const SenderReport &report, Nanoseconds now) {
  sender_report_ = report;
  sender_report_arrival_ = now;
}

std::optional<ReportBlock> ReceptionStatistics::report(uint32_t ssrc, Nanoseconds now) {
  if (!sender_report_) return std::nullopt;
  ReportBlock block;
  block.ssrc = ssrc;
  uint64_t expected_in_interval = expected() - expected_before_;
  uint64_t received_in_interval = received_ - received_before_;
  expected_before_ = expected();
  received_before_ = received_;
  if (expected_in_interval > received_in_interval) {
    uint64_t lost_in_interval = expected_in_interval - received_in_interval;
    block.fraction_lost = static_cast<uint8_t>(std::min<uint64_t>(255, lost_in_interval * 256 / expected_in_interval));
  }
  block.cumulative_lost = static_cast<int32_t>(std::clamp<int64_t>(lost(), -0x800000, 0x7fffff));
  block.highest_sequence = static_cast<uint32_t>(highest_ - 65536); // SequenceExtender begins at 65536
  block.jitter = jitter();
  block.last_sr = static_cast<uint32_t>(sender_report_->ntp >> 16);
  Nanoseconds delay = std::clamp<Nanoseconds>(now - sender_report_arrival_, 0, 3600 * kSecond);
  block.delay_since_last_sr = static_cast<uint32_t>(ns_to_ticks(delay, 65536));
  return block;
}

} // namespace sluice::rtp
