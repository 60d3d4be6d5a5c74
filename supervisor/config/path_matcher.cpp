#include "supervisor/config/path_matcher.h"

#include "common/base/log.h"
#include "supervisor/config/path_names.h"

#include <fmt/core.h>
#include <re2/re2.h>

#include <algorithm>

namespace sluice::config {
namespace {

constexpr int64_t kMaxProgramBytes = 1 << 20; // of one expression, with what matching caches

Error invalid_expression(std::string_view expression, std::string_view reason) {
  return Error{fmt::format("invalid regular expression: {}: {}", printable(expression, 100), printable(reason, 200))};
}

std::vector<std::string> groups_of(const std::vector<re2::StringPiece> &submatches) {
  std::vector<std::string> groups;
  for (size_t i = 1; i < submatches.size(); i++) groups.emplace_back(submatches[i].data(), submatches[i].size());
  return groups;
}

} // namespace

Result<std::shared_ptr<const re2::RE2>> compile_expression(std::string_view expression) {
  if (expression.size() > kMaxExpressionBytes)
    return invalid_expression(expression, fmt::format("longer than {} bytes", kMaxExpressionBytes));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxProgramBytes);
  auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(expression.data(), expression.size()), options);
  if (!compiled->ok()) return invalid_expression(expression, compiled->error());
  if (compiled->NumberOfCapturingGroups() > kMaxExpressionGroups)
    return invalid_expression(expression, fmt::format("more than {} groups", kMaxExpressionGroups));
  return compiled;
}

PathMatcher::PathMatcher(const Configuration &configuration) : configuration_(configuration) {
  for (const auto &[name, path] : configuration.paths) {
    if (name == kAllPaths) {
      all_ = &path;
      continue;
    }
    if (!path.is_regex()) continue;
    // A configuration that was checked has no others.
    if (auto compiled = compile_expression(std::string_view(name).substr(1)); compiled)
      expressions_.push_back({&path, std::move(*compiled)});
  }
  std::sort(expressions_.begin(), expressions_.end(),
            [](const Expression &a, const Expression &b) { return tried_before(a.path, b.path); });
}

Result<PathMatcher::Match> PathMatcher::find(std::string_view name) const {
  if (auto valid = check_path_name(name); !valid)
    return Error{fmt::format("invalid path name: {} ({})", valid.error().message, name)};
  // A name may begin with a tilde, but the entries that do are expressions.
  auto exact = name.starts_with('~') ? configuration_.paths.end() : configuration_.paths.find(name);
  if (exact != configuration_.paths.end()) return Match{&exact->second, {}};
  re2::StringPiece text(name.data(), name.size());
  for (const auto &[path, compiled] : expressions_) {
    std::vector<re2::StringPiece> submatches(static_cast<size_t>(compiled->NumberOfCapturingGroups()) + 1);
    if (compiled->Match(text, 0, text.size(), re2::RE2::UNANCHORED, submatches.data(),
                        static_cast<int>(submatches.size())))
      return Match{path, groups_of(submatches)};
  }
  if (all_ != nullptr) return Match{all_, {}};
  return Error{fmt::format("path '{}' is not configured", name)};
}

} // namespace sluice::config
