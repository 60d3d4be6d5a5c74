#include "supervisor/config/path_names.h"

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

} // namespace sluice::config
