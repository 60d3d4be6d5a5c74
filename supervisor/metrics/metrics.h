// The metrics for Prometheus, made anew for each scrape from what the supervisor knows. Pure. Names and labels of the
// first five families are those of rtsp-simple-server; the others begin with sluice_. Labels are bounded: by the paths
// and worker slots that there are, and by words.
#pragma once

#include "common/base/latency_histogram.h"
#include "common/base/traffic.h"
#include "ipc/shm/session_table.h"
#include "supervisor/config/protocol.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace sluice::metrics {

constexpr const char *kContentType = "text/plain; version=0.0.4; charset=utf-8";

// RTSP sessions, RTMP connections, with or without TLS.
struct SessionFacts {
  std::string family; // "rtsp_sessions"
  size_t idle = 0, reading = 0, publishing = 0;
};

struct WorkerFacts {
  std::string name; // of its slot
  config::Protocol protocol = config::Protocol::Rtsp;
  bool serves = false;
  uint64_t restarts = 0;
  uint64_t accepted = 0, refused = 0; // connections
  double cpu_seconds = 0;             // of the worker that there is
  uint64_t memory_bytes = 0;
  LatencyHistogram round_trips;
  std::array<uint64_t, shm::kCountedStatuses.size()> answers{}; // over HTTP
};

struct RingFacts {
  std::string path;
  uint64_t capacity_bytes = 0;
  double unread = 0; // by its slowest reader, as a share of what it holds
};

struct HookFacts {
  std::string hook;
  uint64_t started = 0, failed = 0;
};

struct Facts {
  std::string version;
  double cpu_seconds = 0; // of the supervisor
  uint64_t memory_bytes = 0;

  std::map<std::string, bool> paths; // whether ready
  std::vector<SessionFacts> sessions;
  bool hls = false;                       // it is served
  std::map<std::string, uint64_t> muxers; // bytes of segments in memory

  config::PerProtocol<bool> protocols; // with workers
  config::PerProtocol<Traffic> totals;
  config::PerProtocol<std::map<std::string, Traffic>> traffic; // by path
  std::vector<RingFacts> rings;
  std::vector<WorkerFacts> workers;
  uint64_t resumed = 0; // streams and muxers that went on with another worker, publisher or source

  uint64_t accepted = 0, refused = 0; // verdicts on clients
  uint64_t external_failures = 0;
  LatencyHistogram external;
  std::vector<HookFacts> hooks;
  size_t commands = 0; // running
  uint64_t reloads = 0, failed_reloads = 0;
};

// In Prometheus' text format.
std::string render(const Facts &facts);

} // namespace sluice::metrics
