// The measurements of pulling: what a server spends on N sources that it pulls at once from another one, and what a
// plain loop spends that receives the same bytes.
#pragma once

#include "common/base/time.h"
#include "tests/bench/fanout/server.h"

#include <optional>

namespace sluice::fanout {

constexpr size_t kCameras = 50; // each is pulled as often

// What happened between two instants.
struct PullWindow {
  double seconds = 0;
  double cpu = 0;               // seconds, of all processes of the server, or of the loop
  double core_busy = 0;         // their core
  double upstream_busy = 0;     // the core of everything else
  double packets = 0;           // that came in
  double bytes = 0;             // of them, with interleaved headers
  std::optional<uint64_t> lost; // of the packets, where all were looked at
};

struct PulledStreams {
  double seconds_to_ready = 0; // from the server's start until all sources are ready
  size_t errors = 0;           // that the log tells of
  size_t sources_cut_off = 0;  // that failed at least once since they were ready
  PullWindow unread;
  PullWindow read;                        // with one RTSP/TCP reader each
  double ring_bytes = 0, other_bytes = 0; // a stream, PSS: how much the processes grew
};

struct Pulling {
  PulledStreams server;
  PullWindow loop;
  uint64_t cameras_cut_off = 0;      // by the server that is pulled from
  uint64_t loop_streams_cut_off = 0; // likewise
};

Result<Pulling> measure_pulling(const Paths &paths, Transport transport, size_t sources, Nanoseconds length);

} // namespace sluice::fanout
