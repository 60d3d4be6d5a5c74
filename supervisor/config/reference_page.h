// The reference page of the configuration, deploy/configuration.md, made from the table of parameters.
#pragma once

#include <string>

namespace sluice::config {

std::string configuration_reference();

} // namespace sluice::config
