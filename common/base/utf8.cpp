#include "common/base/utf8.h"

namespace sluice {

size_t utf8_character_length(Bytes text) {
  uint8_t first = text[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xc2 && first < 0xe0   ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90)) return 0;   // overlong
  if ((first == 0xed && text[1] >= 0xa0) || (first == 0xf4 && text[1] >= 0x90)) return 0; // surrogates, too large
  return length;
}

bool is_utf8(std::string_view text) {
  for (Bytes rest = as_bytes(text); !rest.empty();) {
    size_t length = utf8_character_length(rest);
    if (length == 0) return false;
    rest = rest.subspan(length);
  }
  return true;
}

} // namespace sluice
