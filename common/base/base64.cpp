#include "common/base/base64.h"

#include <algorithm>
#include <array>

namespace sluice {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 0xff;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  for (size_t i = 0; i < kAlphabet.size(); i++) values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  return values;
}

constexpr std::array<uint8_t, 256> kValues = make_values();

} // namespace

std::string base64_encode(Bytes bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; k++) group = group << 8 | (k < count ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; k++) out += k <= count ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

Result<ByteVector> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return Error{"invalid base64: the length is not a multiple of 4"};
  ByteVector out;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    bool last = i + 4 == text.size();
    size_t padding = 0;
    if (last && text[i + 3] == '=') padding = text[i + 2] == '=' ? 2 : 1;
    uint32_t group = 0;
    for (size_t k = 0; k < 4; k++) {
      uint8_t value = k < 4 - padding ? kValues[static_cast<uint8_t>(text[i + k])] : uint8_t{0};
      if (value == kNone) return Error{"invalid base64: unexpected character"};
      group = group << 6 | value;
    }
    if (padding > 0 && (group & ((1u << (8 * padding)) - 1)) != 0) return Error{"invalid base64: unused bits are set"};
    for (size_t k = 0; k < 3 - padding; k++) out.push_back(static_cast<uint8_t>(group >> (16 - 8 * k)));
  }
  return out;
}

} // namespace sluice
