// Names of paths as clients give them. Which entry of the configuration serves one: path_matcher.h.
#pragma once

#include "common/base/result.h"

#include <string_view>

namespace sluice::config {

// Why the name cannot be one: "cannot be empty", "can't begin with a slash", …
Result<void> check_path_name(std::string_view name);

} // namespace sluice::config
