// Decides for one session that is published over UDP whether datagrams from another port than its client named are its
// own. A known SSRC is proof enough where the port that was heard until now is silent: readers know it as well, and
// where a datagram came from is easily forged. A track that has heard nothing yet takes what fits it alone. Pure.
#pragma once

#include "common/base/time.h"
#include "ipc/control/messages.h"

#include <array>
#include <optional>
#include <span>

namespace sluice::rtsp {

class MovedSender {
public:
  // Who knows the SSRC has been asked before that; the interval of reports is longer.
  static constexpr Nanoseconds kPatience = 500 * kMillisecond;
  static constexpr int kMaxMoves = 64; // of one session
  // For so long nothing must have come from where it came from last. Reports are sent every 5 to 7.5 s.
  static constexpr Nanoseconds kSilence = kSecond, kReportSilence = 10 * kSecond;

  struct Track {
    uint8_t payload_type = 0;
    std::optional<uint32_t> ssrc; // of its packets; empty: there were none
    // When its sockets heard something of use last; empty: never.
    std::optional<Nanoseconds> heard = {}, report_heard = {};
  };

  // The socket that is to hear from this address: 2 * track, and 1 more for RTCP. Empty: none, or not yet.
  std::optional<size_t> on_offer(const control::StrayOffer &offer, std::span<const Track> tracks, Nanoseconds now);
  void on_moved() { moves_++; }

private:
  struct Seen {
    std::string address;
    Nanoseconds since = 0;
  };

  Nanoseconds first_seen(const std::string &address, Nanoseconds now);

  std::array<Seen, 32> seen_{}; // the latest
  size_t next_ = 0;
  int moves_ = 0;
};

} // namespace sluice::rtsp
