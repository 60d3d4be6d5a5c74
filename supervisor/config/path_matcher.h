// Which entry of `paths` serves a name. Entries whose name begins with `~` are regular expressions (RE2's syntax,
// searched anywhere in the name). In this order, the first that fits:
//   1. the entry of exactly that name;
//   2. regular expressions, as they stand in the file; those added while the server runs come last;
//   3. `all`, wherever it stands.
// Time is linear in the length of the name. The configuration must outlive the matcher and not change.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/configuration.h"

#include <memory>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace sluice::config {

constexpr size_t kMaxExpressionBytes = 4096;
constexpr int kMaxExpressionGroups = 32;        // hooks get each as a variable
constexpr size_t kMaxRegularExpressions = 1000; // of a configuration; each takes up to a few hundred KiB

// "invalid regular expression: <expression>", and why. Without the `~`.
Result<std::shared_ptr<const re2::RE2>> compile_expression(std::string_view expression);

// The order of regular expressions, `all` apart.
inline bool tried_before(const PathConfiguration *a, const PathConfiguration *b) {
  return a->order != b->order ? a->order < b->order : a->name < b->name;
}

class PathMatcher {
public:
  struct Match {
    const PathConfiguration *path = nullptr; // lives as long as the configuration
    // What the expression's groups took, G1 first; of a group that took no part: empty.
    std::vector<std::string> groups;
  };

  explicit PathMatcher(const Configuration &configuration);
  PathMatcher(const Configuration &&) = delete;

  // Errors are for the client: "invalid path name: <reason> (<name>)", "path '<name>' is not configured".
  Result<Match> find(std::string_view name) const;

private:
  struct Expression {
    const PathConfiguration *path;
    std::shared_ptr<const re2::RE2> compiled;
  };

  const Configuration &configuration_;
  std::vector<Expression> expressions_; // in the order of trial
  const PathConfiguration *all_ = nullptr;
};

} // namespace sluice::config
