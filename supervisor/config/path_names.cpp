#include "supervisor/config/path_names.h"

#include <fmt/core.h>

namespace sluice::config {

Result<void> check_path_name(std::string_view name) {
  constexpr std::string_view kAllowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-/.~";
  if (name.empty()) return Error{"cannot be empty"};
  if (name.starts_with('/')) return Error{"can't begin with a slash"};
  if (name.ends_with('/')) return Error{"can't end with a slash"};
  if (name.find_first_not_of(kAllowed) != name.npos)
    return Error{"can contain only alphanumeric characters, underscore, dot, tilde, minus or slash"};
  return {};
}

Result<const PathConfiguration *> find_path(const Configuration &configuration, std::string_view name) {
  if (auto valid = check_path_name(name); !valid)
    return Error{fmt::format("invalid path name: {} ({})", valid.error().message, name)};
  // A name may begin with a tilde, but the entries that do are expressions.
  auto entry = name.starts_with('~') ? configuration.paths.end() : configuration.paths.find(name);
  if (entry == configuration.paths.end()) entry = configuration.paths.find(kAllPaths);
  if (entry == configuration.paths.end()) return Error{fmt::format("path '{}' is not configured", name)};
  return &entry->second;
}

} // namespace sluice::config
