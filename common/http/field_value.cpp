#include "common/http/field_value.h"

#include <algorithm>

namespace sluice::http {

void skip(std::string_view &rest, std::string_view characters) {
  rest.remove_prefix(std::min(rest.find_first_not_of(characters), rest.size()));
}

std::string_view take_until(std::string_view &rest, std::string_view ends) {
  std::string_view front = rest.substr(0, rest.find_first_of(ends));
  rest.remove_prefix(front.size());
  return front;
}

std::optional<std::string> take_quoted(std::string_view &rest) {
  rest.remove_prefix(1);
  std::string value;
  while (!rest.empty()) {
    char c = rest[0];
    rest.remove_prefix(1);
    if (c == '"') return value;
    if (c == '\\') {
      if (rest.empty()) break;
      c = rest[0];
      rest.remove_prefix(1);
    }
    value.push_back(c);
  }
  return std::nullopt;
}

} // namespace sluice::http
