// UTF-8 as RFC 3629 has it: nothing overlong, no surrogates, up to U+10FFFF.
#pragma once

#include "common/base/bytes.h"

#include <string_view>

namespace sluice {

// Bytes of the character at the front of a text that is not empty; 0 if there is none.
size_t utf8_character_length(Bytes text);
bool is_utf8(std::string_view text);

} // namespace sluice
