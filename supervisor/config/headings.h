// How the table of parameters is divided where it is shown: the default file, the reference page.
#pragma once

#include <string_view>

namespace sluice::config {

// The heading that stands before this parameter, or empty. S: Configuration or PathConfiguration.
template <class S> std::string_view heading_before(std::string_view parameter);

} // namespace sluice::config
