#include "supervisor/auth/http_authorization.h"

#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/http/field_value.h"
#include "supervisor/auth/hashes.h"

#include <algorithm>
#include <vector>

namespace sluice::auth {
namespace {

constexpr std::string_view kBlanks = " \t", kSeparators = ", \t";

Result<std::string> take_value(std::string_view &rest) {
  if (rest.starts_with('"')) {
    auto value = http::take_quoted(rest);
    if (!value) return Error{"quoted string without end in the authorization header"};
    return std::move(*value);
  }
  std::string_view token = http::take_until(rest, ", \t\"");
  if (token.empty()) return Error{"parameter without value in the authorization header"};
  return std::string(token);
}

std::optional<std::string> *member_of(DigestAuthorization &digest, std::string_view name) {
  if (name == "realm") return &digest.realm;
  if (name == "nonce") return &digest.nonce;
  if (name == "username") return &digest.username;
  if (name == "uri") return &digest.uri;
  return name == "response" ? &digest.response : nullptr;
}

Result<Authorization> read_digest(std::string_view rest) {
  DigestAuthorization digest;
  std::vector<std::string> names;
  for (http::skip(rest, kSeparators); !rest.empty(); http::skip(rest, kSeparators)) {
    std::string name = lower(http::take_until(rest, "=, \t\""));
    http::skip(rest, kBlanks);
    if (name.empty() || !rest.starts_with('=')) return Error{"invalid parameter in the authorization header"};
    rest.remove_prefix(1);
    http::skip(rest, kBlanks);
    std::string value = TRY(take_value(rest));
    http::skip(rest, kBlanks);
    if (!rest.empty() && rest[0] != ',') return Error{"invalid parameter in the authorization header"};
    if (std::find(names.begin(), names.end(), name) != names.end())
      return Error{"parameter provided twice in the authorization header"};
    if (names.size() == kMaxDigestParameters) return Error{"too many parameters in the authorization header"};
    if (std::optional<std::string> *member = member_of(digest, name)) *member = std::move(value);
    names.push_back(std::move(name));
  }
  return Authorization(std::move(digest));
}

Result<Authorization> read_basic(std::string_view encoded) {
  Result<ByteVector> decoded = base64_decode(encoded);
  if (!decoded) return Error{"invalid base64 in the authorization header"};
  std::string_view text = as_text(*decoded);
  size_t colon = text.find(':');
  BasicAuthorization basic;
  if (colon != text.npos) basic = {SecretText(text.substr(0, colon)), SecretText(text.substr(colon + 1))};
  OPENSSL_cleanse(decoded->data(), decoded->size());
  if (colon == text.npos) return Error{"user without password in the authorization header"};
  return Authorization(std::move(basic));
}

// VLC answers a SETUP with the URL up to the slash before the track.
std::string_view without_track(std::string_view url) {
  size_t track = url.rfind("/trackID=");
  return track == url.npos ? url : url.substr(0, track + 1);
}

} // namespace

Result<Authorization> parse_authorization(std::string_view value) {
  if (value.size() > kMaxAuthorizationBytes) return Error{"authorization header is too long"};
  value = trim(value);
  std::string scheme = lower(http::take_until(value, " \t"));
  http::skip(value, kBlanks);
  if (scheme == "basic") return read_basic(value);
  if (scheme == "digest") return read_digest(value);
  return Error{"unsupported authorization header"};
}

std::string basic_challenge() {
  return "Basic realm=\"" + std::string(kRealm) + "\"";
}

std::string digest_challenge(std::string_view nonce) {
  return "Digest realm=\"" + std::string(kRealm) + "\", nonce=\"" + std::string(nonce) + "\"";
}

Result<void> check_digest(const DigestAuthorization &answer, const DigestRequest &request, std::string_view user,
                          std::string_view password) {
  if (!answer.realm) return Error{"realm is missing"};
  if (!answer.nonce) return Error{"nonce is missing"};
  if (!answer.username) return Error{"username is missing"};
  if (!answer.uri) return Error{"uri is missing"};
  if (!answer.response) return Error{"response is missing"};

  std::string plain_key = md5_hex({user, kRealm, password}); // as good as the password
  SecretText key = SecretText::take(plain_key);
  std::string expected = md5_hex({key.view(), *answer.nonce, md5_hex({request.method, *answer.uri})});
  bool realm = *answer.realm == kRealm;
  bool url = *answer.uri == request.url || (request.method == "SETUP" && *answer.uri == without_track(request.url));
  bool username = equal_in_constant_time(*answer.username, user);
  bool response = equal_in_constant_time(*answer.response, expected);
  if (!request.nonce_is_valid) return Error{"wrong nonce"};
  if (!realm) return Error{"wrong realm"};
  if (!username) return Error{"wrong username"};
  if (!url) return Error{"wrong URL"};
  if (!response) return Error{"wrong response"};
  return {};
}

} // namespace sluice::auth
