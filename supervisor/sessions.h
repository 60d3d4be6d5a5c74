// The sessions of all workers, as their tables and the paths tell of them, for the API and the metrics. What stands in
// a table was written by a worker: it is shown, and decides nothing. Workers and paths outlive it.
#pragma once

#include "ipc/shm/session_table.h"
#include "supervisor/config/protocol.h"
#include "supervisor/paths/paths.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

class Workers;

// Of a session, or of several. "In" is what clients and sources sent to us. HLS counts requests for packets.
struct Traffic {
  uint64_t bytes_in = 0, bytes_out = 0, packets_in = 0, packets_out = 0;
  uint64_t lost = 0;      // packets in that never came
  uint64_t dropped = 0;   // packets that a reader did not get
  uint32_t jitter_us = 0; // the greatest of them

  void add(const Traffic &other);
  bool operator==(const Traffic &) const = default;
};

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
  // Of those that there are now; pulled sources among them.
  std::map<paths::StreamId, Traffic> by_stream() const;

private:
  template <class F> void for_each_slot(config::Protocol protocol, F &&call) const;
  std::optional<SessionInfo> rtsp_session(uint16_t slot, const shm::SessionRecord &record, bool tls) const;
  void add_rtmp(uint16_t slot, const shm::SessionTable &table, bool tls, std::vector<SessionInfo> &infos) const;
  void join_path(SessionInfo &info) const;

  const Workers &workers_;
  const paths::Paths &paths_;
};

} // namespace sluice
