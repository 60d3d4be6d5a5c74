// What comes to the base sockets of the UDP ports, from senders that no session has: reads it away, and tells the
// supervisor of what may be a publisher's whose client said another port (behind a NAT, in a container). Allocates
// only for what it tells, which is little. Owned by the Server.
#pragma once

#include "common/base/time.h"
#include "common/loop/socket.h"
#include "ipc/control/messages.h"
#include "workers/base/supervisor.h"

#include <array>
#include <optional>

namespace sluice::rtsp {

class StrayDatagrams {
public:
  static constexpr Nanoseconds kInterval = 600 * kMillisecond; // of reports on one address
  static constexpr int kReportsPerSecond = 32;                 // on all of them

  explicit StrayDatagrams(worker::Supervisor &supervisor) : supervisor_(supervisor) {}

  // `rtcp`: the port's. Some of what waits, at most.
  void drain(int fd, bool rtcp, Nanoseconds now);

  // Whether to tell of it; the address is remembered then.
  bool is_due(const loop::SocketAddress &sender, Nanoseconds now);
  // Empty if it is no RTP, or no RTCP. `start`: its first bytes.
  static std::optional<control::StrayDatagram> parse(Bytes start, bool rtcp);

private:
  struct Told {
    uint64_t address = 0; // a hash
    Nanoseconds again_ns = 0;
  };

  worker::Supervisor &supervisor_;
  std::array<Told, 256> told_{}; // by hash; a collision costs a report
  Nanoseconds second_ns_ = 0;    // that `reports_` belongs to
  int reports_ = 0;
};

} // namespace sluice::rtsp
