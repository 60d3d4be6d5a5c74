// The measurements of fan-out: what the server, and what a plain loop, spends on N readers of one stream.
#pragma once

#include "tests/bench/fanout/recording.h"
#include "tests/bench/fanout/server.h"
#include "tests/bench/fanout/sink.h"

#include <optional>

namespace sluice::fanout {

// What happened between two instants.
struct Window {
  double seconds = 0;
  double sender_cpu = 0; // seconds, of all processes of the server, or of the loop
  double sender_core_busy = 0;
  double sink_cpu = 0;
  double publisher_cpu = 0;
  bool processes_changed = false; // one ended or appeared: CPU seconds are missing
  SinkTotals received;
  double expected_bytes = 0;
  std::string cipher; // of TLS

  double cpu_per_gigabyte() const { return sender_cpu / (static_cast<double>(received.bytes) / 1e9); }
};

struct SingleReader {
  Recording recording;
  double server_share = 0; // of a core
};

struct ServerFanout {
  Window window;
  Result<double> pss_per_reader = 0.0; // bytes
};

// One TCP reader that records the stream of FFmpeg.
Result<SingleReader> measure_single_reader(const Paths &paths, Nanoseconds length);
// What one RTMP reader gets of the stream that FFmpeg publishes over RTMP.
Result<Replay> record_over_rtmp(const Paths &paths, Nanoseconds length);
// `readers` is 2 at the least. By multicast all of them get the same packets, which are received once.
Result<ServerFanout> measure_server(const Paths &paths, Transport transport, size_t readers, const Replay &expected,
                                    const std::string &write_merge = "0s");
Result<Window> measure_plain_loop(const Paths &paths, Transport transport, size_t readers, Replay &replay);

} // namespace sluice::fanout
