// What the API asks of the supervisor.
#pragma once

#include "supervisor/config/configuration.h"
#include "supervisor/muxers/muxers.h"
#include "supervisor/paths/events.h"
#include "supervisor/sessions.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::api {

// A worker slot.
struct WorkerInfo {
  uint16_t slot = 0;
  std::string name; // "rtsp-0"
  config::Protocol protocol = config::Protocol::Rtsp;
  pid_t pid = 0, keeper_pid = 0; // 0: there is none now
  uint64_t restarts = 0;
  Nanoseconds uptime = 0; // of the worker
  size_t sessions = 0;    // RTSP sessions, RTMP and HLS connections
  double cpu_seconds = 0; // of the worker
  uint64_t memory_bytes = 0;
};

struct Backend {
  virtual ~Backend() = default;
  virtual Nanoseconds now() const = 0;
  virtual const config::Configuration &configuration() const = 0;
  // Error: why not; nothing has changed then.
  virtual Result<void> change_configuration(config::Configuration next) = 0;

  virtual std::vector<paths::PathInfo> paths() const = 0;
  virtual std::map<paths::StreamId, Traffic> traffic() const = 0;
  virtual std::vector<Muxers::Info> muxers() const = 0;
  virtual std::vector<SessionInfo> sessions(config::Protocol protocol, bool tls) const = 0;
  // Ends it. False: there is none.
  virtual bool kick(config::Protocol protocol, bool tls, uint32_t log_id) = 0;
  virtual std::vector<WorkerInfo> workers() const = 0;
  // Replaces the worker of that slot. False: there is no such slot.
  virtual bool restart_worker(std::string_view name) = 0;
};

} // namespace sluice::api
