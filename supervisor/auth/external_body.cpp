#include "supervisor/auth/external_body.h"

#include "common/base/bytes.h"
#include "common/base/check.h"

#include <cjson/cJSON.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace sluice::auth {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Length of the UTF-8 character at the front; 0 if there is none (RFC 3629).
size_t character_length(Bytes text) {
  uint8_t first = text[0];
  if (first < 0x80) return 1;
  size_t length = first >= 0xc2 && first < 0xe0   ? 2
                  : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
  bool beyond = (first == 0xed && text[1] >= 0xa0) || (first == 0xf4 && text[1] >= 0x90);
  return overlong || beyond ? 0 : length;
}

// Ends with a NUL, for cJSON.
SecretText terminated_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size() * kReplacement.size() + 1); // never reallocated
  for (Bytes rest = as_bytes(text); !rest.empty();) {
    size_t length = character_length(rest);
    clean += length == 0 ? kReplacement : as_text(rest.first(length));
    rest = rest.subspan(std::max<size_t>(length, 1));
  }
  clean.push_back('\0');
  return SecretText::take(clean);
}

} // namespace

Result<SecretText> external_body(const ExternalRequest &request) {
  struct Field {
    const char *name;
    SecretText text;
  };
  const std::array<Field, 6> fields = {
      {{"ip", terminated_utf8(request.ip)},
       {"user", terminated_utf8(request.user.view())},
       {"password", terminated_utf8(request.password.view())},
       {"path", terminated_utf8(request.path)},
       {"action", terminated_utf8(request.action == Action::Read ? "read" : "publish")},
       {"query", terminated_utf8(request.query.view())}}};
  std::unique_ptr<cJSON, decltype(&cJSON_Delete)> object(cJSON_CreateObject(), cJSON_Delete);
  CHECK(object);
  size_t bound = 16; // braces, and what cJSON wants beyond
  for (const Field &field : fields) {
    std::string_view text = field.text.view();
    if (text.find('\0') != text.size() - 1) return Error{"the request contains a NUL"};
    CHECK(cJSON_AddItemToObjectCS(object.get(), field.name, cJSON_CreateStringReference(text.data())));
    bound += std::strlen(field.name) + 6 + text.size() * 6; // "\u001f" is the longest escape
  }
  // Printed once into one buffer: cJSON_Print would leave copies behind.
  std::string printed(bound, '\0');
  CHECK(cJSON_PrintPreallocated(object.get(), printed.data(), static_cast<int>(printed.size()), 0));
  SecretText body(std::string_view(printed.c_str()));
  OPENSSL_cleanse(printed.data(), printed.size());
  return body;
}

} // namespace sluice::auth
