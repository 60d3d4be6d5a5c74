// What flowed on each path by each protocol since the server began: of the sessions that are over, as their workers
// told, or as their records stood when a worker died. Paths that are gone are forgotten; what flowed there stays in the
// protocol's sum. Sums never shrink: between a session's end and the word of it there is a moment when it would seem
// so. The paths outlive it.
#pragma once

#include "common/base/traffic.h"
#include "supervisor/config/protocol.h"
#include "supervisor/paths/paths.h"

#include <map>
#include <string>

namespace sluice::metrics {

class TrafficLedger {
public:
  struct Entry {
    Traffic ended; // of sessions that are over
    Traffic shown; // the greatest that was shown
  };
  using ByPath = std::map<std::string, Traffic>;

  explicit TrafficLedger(const paths::Paths &paths) : paths_(paths) {}

  void on_session_ended(config::Protocol protocol, const std::string &path, const Traffic &traffic);

  // With what flows `now`, in the sessions that there are; by path: only of those that there are.
  ByPath by_path(config::Protocol protocol, const ByPath &now);
  Traffic total(config::Protocol protocol, const ByPath &now);
  size_t entries(config::Protocol protocol) const { return entries_[protocol].size(); }

private:
  static constexpr size_t kManyEntries = 8192; // then those of paths that are gone are looked for

  void forget_gone(std::map<std::string, Entry> &entries) const;

  const paths::Paths &paths_;
  config::PerProtocol<std::map<std::string, Entry>> entries_;
  config::PerProtocol<size_t> limits_{{kManyEntries, kManyEntries, kManyEntries}};
  config::PerProtocol<Entry> totals_;
};

} // namespace sluice::metrics
