// From the synthetic publisher's send to the receipt by RTSP/TCP or RTMP readers in the same process, and what
// the server spends on such a stream.
#pragma once

#include "tests/bench/fanout/server.h"
#include "tests/bench/fanout/synthetic_publisher.h"

namespace sluice::fanout {

struct Distribution {
  size_t samples = 0;
  Nanoseconds median = 0;
  Nanoseconds percentile_99 = 0;
};

struct PacedStream {
  Distribution video; // of the last packets of access units
  Distribution audio;
  double server_share = 0; // of a core
};

Result<PacedStream> measure_paced_stream(const Paths &paths, const Pace &pace, size_t readers, Nanoseconds length,
                                         Transport transport = Transport::kTcp);

} // namespace sluice::fanout
