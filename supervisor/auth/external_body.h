// What the external authentication server is asked: one JSON object, as the reference sends it. Pure.
#pragma once

#include "common/base/result.h"
#include "supervisor/auth/secret_text.h"

#include <string>

namespace sluice::auth {

enum class Action : uint8_t { Read, Publish };

struct ExternalRequest {
  std::string ip;
  SecretText user, password; // of Basic, or of the URL
  std::string path;
  Action action = Action::Read;
  SecretText query; // without '?'
};

// {"ip":…,"user":…,"password":…,"path":…,"action":"read"|"publish","query":…}. Bytes that are not UTF-8 become U+FFFD.
// Errors: a NUL.
Result<SecretText> external_body(const ExternalRequest &request);

} // namespace sluice::auth
