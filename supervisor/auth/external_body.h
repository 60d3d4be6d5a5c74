// What the external authentication server is asked: one JSON object. Pure.
#pragma once

#include "common/base/result.h"
#include "supervisor/auth/secret_text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::auth {

enum class Action : uint8_t { Read, Publish };

struct ExternalRequest {
  std::string ip;
  SecretText user, password; // of Basic, or of the URL
  std::string path;
  Action action = Action::Read;
  SecretText query;                   // without '?'
  std::string_view protocol = "rtsp"; // over TLS or not
  std::optional<uint32_t> log_id;     // what logs and API call the session, if there is one
};

// {"ip":…,"user":…,"password":…,"path":…,"protocol":…,"id":"123"|null,"action":"read"|"publish","query":…}. Bytes that
// are not UTF-8 become U+FFFD. Errors: a NUL.
Result<SecretText> external_body(const ExternalRequest &request);

} // namespace sluice::auth
