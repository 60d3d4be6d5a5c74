#include "common/http/headers.h"

#include "common/base/secret.h"
#include "common/base/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sluice::http {
namespace {

// By character: whether a token may have it.
constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> is{};
  for (size_t c = 0x21; c < 0x7f; c++) is[c] = true;
  for (char c : std::string_view("()<>@,;:\\\"/[]?={}")) is[static_cast<uint8_t>(c)] = false;
  return is;
}();

bool is_token_char(char c) {
  return kTokenCharacters[static_cast<uint8_t>(c)];
}

} // namespace

const std::string *Headers::find(std::string_view name) const {
  for (const Header &header : all_) {
    if (equal_ignoring_case(header.name, name)) return &header.value;
  }
  return nullptr;
}

size_t Headers::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(
      all_.begin(), all_.end(), [&](const Header &header) { return equal_ignoring_case(header.name, name); }));
}

void Headers::wipe(std::string_view name) {
  for (Header &header : all_)
    if (equal_ignoring_case(header.name, name)) sluice::wipe(header.value);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\t' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f); });
}

} // namespace sluice::http
