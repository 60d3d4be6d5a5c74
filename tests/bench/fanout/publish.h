// The measurement of publishing: what the server spends on N publishers over RTMP that nobody reads.
#pragma once

#include "common/base/time.h"
#include "tests/bench/fanout/server.h"

namespace sluice::fanout {

struct Publishing {
  double seconds = 0;
  double cpu = 0;                             // seconds, of all processes of the server
  double core_busy = 0, client_core_busy = 0; // seconds
  double messages = 0, bytes = 0;             // that all of them sent meanwhile
  double ring_bytes = 0, other_bytes = 0;     // PSS: how much the server has grown
  uint64_t cut_off = 0;                       // publishers
};

Result<Publishing> measure_publishing(const Paths &paths, size_t publishers, Nanoseconds length);

} // namespace sluice::fanout
