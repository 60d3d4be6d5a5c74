// What a new configuration needs of a running server, from the difference to the old one and the table's column of
// changes. Pure: the supervisor carries it out, and takes the new configuration in any case.
#pragma once

#include "supervisor/config/changes.h"
#include "supervisor/config/configuration.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

struct PathChange {
  std::string name; // of the entry
  Changes changes;
  std::vector<std::string_view> parameters; // that have another value, in the order of the table
  bool operator==(const PathChange &) const = default;
};

struct ReloadPlan {
  Changes changes;                          // of the whole configuration
  std::vector<std::string_view> parameters; // global ones that have another value, in the order of the table
  // Entries of `paths`, by name. One whose inherited value changes with the global one is changed, too.
  std::vector<std::string> added, removed;
  std::vector<PathChange> changed;
  // Regular expressions are tried in another order. Then, and if entries were added or removed, a name may belong to
  // another entry than before.
  bool reordered = false;

  bool names_may_move() const { return reordered || !added.empty() || !removed.empty(); }
  // Whether any worker, or how many there are, is concerned.
  bool concerns_workers() const;
  // For the log: what changed, without values. Long lists are cut.
  std::string text() const;
  bool empty() const { return parameters.empty() && changed.empty() && !names_may_move(); }
};

ReloadPlan plan_reload(const Configuration &before, const Configuration &after);

} // namespace sluice::config
