// Names of paths as clients give them, and which entry of the configuration serves them.
#pragma once

#include "common/base/result.h"
#include "supervisor/config/configuration.h"

namespace sluice::config {

// Why the name cannot be one: "cannot be empty", "can't begin with a slash", …
Result<void> check_path_name(std::string_view name);

// The entry for a request: the exact name first, then `all`. Errors are for the client:
// "invalid path name: <reason> (<name>)", "path '<name>' is not configured".
// The pointer lives as long as the configuration is not changed.
Result<const PathConfiguration *> find_path(const Configuration &configuration, std::string_view name);

} // namespace sluice::config
