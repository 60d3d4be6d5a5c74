// Rules that concern several parameters at once. Pure.
#pragma once

#include "supervisor/config/configuration.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

struct Problem {
  std::string_view parameter; // which of them to look at
  std::string message;
};

std::vector<Problem> find_problems(const Configuration &configuration);

// Only the first.
std::optional<Problem> find_problem(const Configuration &configuration, const PathConfiguration &path);

} // namespace sluice::config
