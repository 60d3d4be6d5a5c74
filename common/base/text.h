// What texts of all protocols have in common: ASCII letters in any case, blanks around them.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// Of ASCII letters only, whatever the locale.
char lower(char c);
std::string lower(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
// Without spaces and tabs at both ends.
std::string_view trim(std::string_view text);

} // namespace sluice
