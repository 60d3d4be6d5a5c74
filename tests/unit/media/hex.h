// Test input written as hexadecimal digits; white space is ignored.
#pragma once

#include "common/base/bytes.h"

#include <string>
#include <string_view>

namespace sluice {

inline ByteVector hex(std::string_view text) {
  ByteVector out;
  std::string digits;
  for (char c : text) {
    if (c != ' ' && c != '\n') digits += c;
    if (digits.size() == 2) {
      out.push_back(static_cast<uint8_t>(std::stoi(digits, nullptr, 16)));
      digits.clear();
    }
  }
  return out;
}

} // namespace sluice
