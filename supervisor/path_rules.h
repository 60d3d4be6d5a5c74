// What the configuration says about a path, as Paths goes by it.
#pragma once

#include "supervisor/config/path_matcher.h"
#include "supervisor/paths/paths.h"

namespace sluice {

// `match`: the path's entry in this configuration.
paths::PathRules path_rules(config::PathMatcher::Match match, const config::Configuration &configuration);

} // namespace sluice
