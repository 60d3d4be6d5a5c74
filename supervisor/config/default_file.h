// The commented default configuration, deploy/sluice.yml, made from the table of parameters.
#pragma once

#include <string>

namespace sluice::config {

std::string default_configuration_file();

} // namespace sluice::config
