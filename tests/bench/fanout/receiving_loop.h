// The plain loop that pulling is compared with: epoll and a receive, into one buffer, from as many sockets; of TCP it
// walks from one interleaved header to the next, of UDP it counts the datagrams. It runs in a process of its own on the
// server's core until it is killed.
#pragma once

#include "tests/bench/fanout/process.h"
#include "tests/bench/fanout/rtsp_client.h"
#include "tests/bench/fanout/shared_counts.h"

#include <vector>

namespace sluice::fanout {

struct ReceivingLoop {
  Child process;
  SharedCounts received; // bytes with interleaved headers, or of datagrams
};

// The readers were asked to play, and stay open while it runs. One that is closed, refused or gets broken framing is
// received from no more, and counted as cut off.
Result<ReceivingLoop> start_receiving_loop(const std::vector<Reader> &readers);

} // namespace sluice::fanout
