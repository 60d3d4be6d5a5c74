// Pieces of a header's value that has a grammar (RFC 9110 section 5.6), taken from its front one after the other. Pure.
//   quoted-string = DQUOTE *( any but DQUOTE and "\" / "\" any ) DQUOTE
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

// Removes characters of this set from the front.
void skip(std::string_view &rest, std::string_view characters);
// Removes what stands before the first character of this set, and returns it.
std::string_view take_until(std::string_view &rest, std::string_view ends);
// `rest` begins with the opening quote. Empty: it does not end.
std::optional<std::string> take_quoted(std::string_view &rest);

} // namespace sluice::http
