#include "workers/rtsp/protocol/client_credentials.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/secret.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <initializer_list>
#include <memory>

namespace sluice::rtsp {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Of the parts joined by ':', as lower-case hex digits.
std::string hash_hex(const EVP_MD *algorithm, std::initializer_list<std::string_view> parts) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(context && EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1);
  bool first = true;
  for (std::string_view part : parts) {
    if (!first) EVP_DigestUpdate(context.get(), ":", 1);
    first = false;
    EVP_DigestUpdate(context.get(), part.data(), part.size());
  }
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context.get(), digest, &size) == 1);
  std::string text;
  for (unsigned i = 0; i < size; i++) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

} // namespace

std::string percent_decoded(std::string_view text) {
  std::string result;
  result.reserve(text.size()); // no copies of a password stay behind in memory that it outgrew
  for (size_t i = 0; i < text.size(); i++) {
    int high = -1, low = -1;
    if (text[i] == '%' && i + 2 < text.size()) {
      high = hex_value(text[i + 1]);
      low = hex_value(text[i + 2]);
    }
    if (high >= 0 && low >= 0) {
      result += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

ClientCredentials::ClientCredentials(std::string_view userinfo, std::string client_nonce)
    : given_(!userinfo.empty()), client_nonce_(std::move(client_nonce)) {
  size_t colon = std::min(userinfo.find(':'), userinfo.size());
  user_ = percent_decoded(userinfo.substr(0, colon));
  if (colon < userinfo.size()) password_ = percent_decoded(userinfo.substr(colon + 1));
}

ClientCredentials::~ClientCredentials() {
  wipe(user_);
  wipe(password_);
}

bool ClientCredentials::accept(std::span<const Challenge> challenges) {
  auto strongest = std::max_element(challenges.begin(), challenges.end(),
                                    [](const Challenge &a, const Challenge &b) { return a.scheme < b.scheme; });
  if (strongest == challenges.end()) return false;
  if (!challenge_ || challenge_->nonce != strongest->nonce) uses_ = 0;
  challenge_ = *strongest;
  return true;
}

std::string ClientCredentials::authorization(std::string_view method, std::string_view url) {
  if (!challenge_) return "";
  if (challenge_->scheme != AuthScheme::Basic) return digest(method, url);
  std::string plain;
  plain.reserve(user_.size() + password_.size() + 1);
  plain.append(user_).append(":").append(password_);
  std::string encoded = base64_encode(as_bytes(plain));
  wipe(plain);
  std::string value = "Basic " + encoded;
  wipe(encoded);
  return value;
}

std::string ClientCredentials::digest(std::string_view method, std::string_view url) {
  const Challenge &challenge = *challenge_;
  bool sha256 = challenge.scheme == AuthScheme::DigestSha256;
  const EVP_MD *algorithm = sha256 ? EVP_sha256() : EVP_md5();
  std::string key = hash_hex(algorithm, {user_, challenge.realm, password_}); // as good as the password
  std::string request = hash_hex(algorithm, {method, url});
  std::string response, protection;
  if (challenge.qop_auth) {
    std::string count = fmt::format("{:08x}", ++uses_);
    response = hash_hex(algorithm, {key, challenge.nonce, count, client_nonce_, "auth", request});
    protection = fmt::format(", qop=auth, nc={}, cnonce=\"{}\"", count, client_nonce_);
  } else {
    response = hash_hex(algorithm, {key, challenge.nonce, request});
  }
  wipe(key);
  std::string text = fmt::format("Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"", quoted(user_),
                                 quoted(challenge.realm), quoted(challenge.nonce), quoted(url), response);
  if (challenge.names_algorithm) text += sha256 ? ", algorithm=SHA-256" : ", algorithm=MD5";
  if (challenge.opaque) text += ", opaque=" + quoted(*challenge.opaque);
  return text + protection;
}

} // namespace sluice::rtsp
