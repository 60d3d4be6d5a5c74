// What the configuration says about one path, as the state machine of paths needs it. Plain values.
#pragma once

#include "common/base/result.h"
#include "common/base/time.h"
#include "ipc/control/messages.h"

#include <string>
#include <vector>

namespace sluice::paths {

enum class SourceKind : uint8_t { Publisher, Redirect, Pulled };

// Of SourceKind::Pulled: where the stream comes from, and how. The URL may hold credentials.
struct PullRule {
  std::string url;
  control::SourceTransport transport = control::SourceTransport::Automatic;
  bool any_port = false;
  std::string fingerprint;

  bool operator==(const PullRule &) const = default;
};

// A command; empty: none.
struct CommandRule {
  std::string command;
  bool restart = false; // when it exits by itself

  bool operator==(const CommandRule &) const = default;
};

struct PathRules {
  std::string entry;      // the configuration's entry that serves the path
  bool permanent = false; // exists without clients; else as long as somebody publishes, reads or waits
  SourceKind source = SourceKind::Publisher;
  std::string redirect; // of SourceKind::Redirect: where clients are sent to
  PullRule pull;
  bool pull_on_demand = false;                // else all the time
  Nanoseconds reconnect_grace = 30 * kSecond; // how long readers of a pulled stream stay while it is not there
  bool publisher_override = true;
  std::string fallback; // "/name" or a URL: where readers are sent to while nobody publishes; empty: nowhere
  CommandRule on_init, on_demand, on_ready, on_read;
  std::vector<std::string> groups;                                      // of the entry's expression, for the commands
  Nanoseconds start_timeout = 10 * kSecond, close_after = 10 * kSecond; // of what runs on demand
  Nanoseconds restart_grace = 10 * kSecond;        // how long a stream is kept whose publisher's worker died
  Nanoseconds write_coalesce = 0, write_merge = 0; // of its streams
  bool absolute_time = false;                      // of its streams: sender reports carry the publisher's clock
  bool readers_start_at_key_frame = false;         // else with what comes next

  bool on_demand_at_all() const {
    return source == SourceKind::Publisher ? !on_demand.command.empty()
                                           : source == SourceKind::Pulled && pull_on_demand;
  }
  bool operator==(const PathRules &) const = default;
};

struct RuleSource {
  virtual ~RuleSource() = default;
  // Errors are for the client: the name is not valid, the path not configured.
  virtual Result<PathRules> rules_for(const std::string &path) const = 0;
  virtual std::vector<std::string> permanent_paths() const = 0;
};

} // namespace sluice::paths
