// What a receiver report says of one source (RFC 3550 sections 6.4.1, A.3, A.8).
#pragma once

#include "common/base/time.h"
#include "common/rtp/rtcp.h"

#include <cstdint>
#include <optional>

namespace sluice::rtp {

class ReceptionStatistics {
public:
  explicit ReceptionStatistics(uint32_t clock_rate) : clock_rate_(clock_rate) {}

  // Each packet, in the order of arrival; also one that comes too late to be of use.
  void on_packet(uint64_t extended_sequence, uint32_t timestamp, Nanoseconds arrival);
  // One that had arrived before. By RFC 3550 section 6.4.1 it makes up for one that was lost.
  void on_duplicate() { received_++; }
  void on_sender_report(const SenderReport &report, Nanoseconds now);
  // Empty until a sender report was received. Starts a new interval for the fraction that was lost.
  std::optional<ReportBlock> report(uint32_t ssrc, Nanoseconds now);

  uint64_t received() const { return received_; }
  int64_t lost() const { return static_cast<int64_t>(expected() - received_); } // negative if there are duplicates
  uint32_t jitter() const { return static_cast<uint32_t>(jitter_); }
  // The last one received and when.
  const std::optional<SenderReport> &sender_report() const { return sender_report_; }
  Nanoseconds sender_report_arrival() const { return sender_report_arrival_; }

private:
  uint64_t expected() const { return received_ == 0 ? 0 : highest_ - base_ + 1; }

  uint32_t clock_rate_;
  uint64_t base_ = 0;
  uint64_t highest_ = 0;
  uint64_t received_ = 0;
  uint64_t expected_before_ = 0; // at the last report
  uint64_t received_before_ = 0;
  bool has_transit_ = false;
  uint32_t transit_ = 0;
  double jitter_ = 0;
  std::optional<SenderReport> sender_report_;
  Nanoseconds sender_report_arrival_ = 0;
};

} // namespace sluice::rtp
