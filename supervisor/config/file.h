// Reads a configuration's file, which may be a pipe.
#pragma once

#include "common/base/result.h"

#include <optional>
#include <string>

namespace sluice::config {

// To its end. Empty if there is no such file; an error, if it can't be read or is longer than `max_bytes`.
Result<std::optional<std::string>> read_file(const std::string &path, size_t max_bytes);

} // namespace sluice::config
