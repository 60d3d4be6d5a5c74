// Whether bytes are UTF-8, as texts of YAML and JSON are.
#pragma once

#include <string_view>

namespace sluice::config {

bool is_utf8(std::string_view text); // RFC 3629: nothing overlong, no surrogates, up to U+10FFFF

} // namespace sluice::config
