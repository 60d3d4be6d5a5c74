// The Authorization header of RTSP and HTTP, and the challenges that ask for it: Basic (RFC 7617) and Digest with MD5
// and without qop (RFC 2069). Pure.
//   Basic  = "Basic" base64(user ":" password); the first colon separates
//   Digest = "Digest" name "=" ( token / quoted-string ) *( "," name "=" ... )
#pragma once

#include "common/base/result.h"
#include "supervisor/auth/secret_text.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace sluice::auth {

constexpr std::string_view kRealm = "IPCAM";
constexpr size_t kMaxAuthorizationBytes = 4096;
constexpr size_t kMaxDigestParameters = 32;

struct BasicAuthorization {
  SecretText user, password;
};
// What was not there is empty. Other parameters are ignored.
struct DigestAuthorization {
  std::optional<std::string> realm, nonce, username, uri, response;
};
using Authorization = std::variant<BasicAuthorization, DigestAuthorization>;

Result<Authorization> parse_authorization(std::string_view value);

std::string basic_challenge();
std::string digest_challenge(std::string_view nonce);

struct DigestRequest {
  std::string_view method;
  std::string_view url; // as sent
  bool nonce_is_valid = false;
};
// Errors name the first thing that is missing or wrong; the time to find it does not depend on which it is.
Result<void> check_digest(const DigestAuthorization &answer, const DigestRequest &request, std::string_view user,
                          std::string_view password);

} // namespace sluice::auth
