#include "supervisor/auth/external_body.h"

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/utf8.h"

#include <cjson/cJSON.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace sluice::auth {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Ends with a NUL, for cJSON.
SecretText terminated_utf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size() * kReplacement.size() + 1); // never reallocated
  for (Bytes rest = as_bytes(text); !rest.empty();) {
    size_t length = utf8_character_length(rest);
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
    bool is_null = false;
  };
  const std::array<Field, 8> fields = {
      {{"ip", terminated_utf8(request.ip)},
       {"user", terminated_utf8(request.user.view())},
       {"password", terminated_utf8(request.password.view())},
       {"path", terminated_utf8(request.path)},
       {"protocol", terminated_utf8(request.protocol)},
       {"id", terminated_utf8(request.log_id ? std::to_string(*request.log_id) : "null"), !request.log_id},
       {"action", terminated_utf8(request.action == Action::Read ? "read" : "publish")},
       {"query", terminated_utf8(request.query.view())}}};
  std::unique_ptr<cJSON, decltype(&cJSON_Delete)> object(cJSON_CreateObject(), cJSON_Delete);
  CHECK(object);
  size_t bound = 16; // braces, and what cJSON wants beyond
  for (const Field &field : fields) {
    std::string_view text = field.text.view();
    if (text.find('\0') != text.size() - 1) return Error{"the request contains a NUL"};
    cJSON *value = field.is_null ? cJSON_CreateNull() : cJSON_CreateStringReference(text.data());
    CHECK(cJSON_AddItemToObjectCS(object.get(), field.name, value));
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
