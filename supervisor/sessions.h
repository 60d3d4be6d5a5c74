// The sessions of all workers, as their tables and the paths tell of them, for the API and the metrics. What stands in
// a table was written by a worker: it is shown, and decides nothing. Workers and paths outlive it.
#pragma once

#include "common/base/traffic.h"
#include "ipc/shm/session_table.h"
#include "supervisor/config/protocol.h"
#include "supervisor/paths/paths.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

class Muxers;
class Workers;

enum class SessionState : uint8_t { Idle, Read, Publish };

struct SessionInfo {
  uint16_t slot = 0;
  paths::SessionId session = 0; // 0: an RTMP connection that neither publishes nor plays
  uint64_t connection = 0;      // of RTMP
  uint32_t log_id = 0;          // 9 digits, as in the log
  std::string peer;             // "host:port"
  SessionState state = SessionState::Idle;
  std::string path; // unless idle
  shm::Carrier carrier = shm::Carrier::None;
  Nanoseconds created = 0; // since 1970
  Traffic traffic;
};

class Sessions {
public:
  Sessions(const Workers &workers, const paths::Paths &paths) : workers_(workers), paths_(paths) {}

  // RTSP sessions, RTMP connections.
  std::vector<SessionInfo> list(config::Protocol protocol, bool tls) const;
  std::optional<SessionInfo> find(config::Protocol protocol, bool tls, uint32_t log_id) const;
  // Of those that there are now; pulled sources among them, viewers not.
  std::map<paths::StreamId, Traffic> by_stream() const;
  // Likewise, with viewers; "": of paths that are not known.
  std::map<std::string, Traffic> by_path(config::Protocol protocol, const Muxers &muxers) const;
  // Of one worker's slot.
  std::map<std::string, Traffic> by_path(uint16_t slot, const Muxers &muxers) const;
  // The least of what readers are still to read: their next entries, by stream. RTSP readers only.
  std::map<paths::StreamId, uint64_t> slowest_cursors() const;

private:
  template <class F> void for_each_slot(config::Protocol protocol, F &&call) const;
  std::optional<SessionInfo> rtsp_session(uint16_t slot, const shm::SessionRecord &record, bool tls) const;
  void add_rtmp(uint16_t slot, const shm::SessionTable &table, bool tls, std::vector<SessionInfo> &infos) const;
  void join_path(SessionInfo &info) const;

  const Workers &workers_;
  const paths::Paths &paths_;
};

} // namespace sluice
