// Decryption of any text, with the text's first line as the key; what was encrypted with that key decrypts to itself.

#include "common/base/check.h"
#include "supervisor/config/encryption.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace sluice::config;
  std::string_view input(reinterpret_cast<const char *>(data), size);
  std::string_view key = input.substr(0, input.find('\n'));
  std::string_view rest = input.substr(std::min(key.size() + 1, input.size()));
  if (auto text = decrypt(rest, key)) CHECK(text->size() < rest.size());
  auto reversed = decrypt(encrypt(rest, key, {}), key);
  CHECK(reversed && *reversed == rest);
  return 0;
}
