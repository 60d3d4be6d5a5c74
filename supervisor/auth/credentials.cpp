#include "supervisor/auth/credentials.h"

#include "common/base/base64.h"
#include "common/base/check.h"
#include "supervisor/auth/hashes.h"

#include <fmt/core.h>
#include <sodium.h>

#include <charconv>
#include <optional>

namespace sluice::auth {
namespace {

constexpr std::string_view kSha256 = "sha256:", kArgon2 = "argon2:";
constexpr std::string_view kPlainCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$()*+.;<=>[]^_-{}";
constexpr std::string_view kBase64Characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool take(std::string_view &rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

std::optional<uint32_t> take_number(std::string_view &rest) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || rest[0] == '0') return std::nullopt;
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return value;
}

// Base64 of `minimum` to 64 bytes, without padding.
bool is_base64(std::string_view text, size_t minimum) {
  size_t bytes = text.size() * 3 / 4;
  if (text.find_first_not_of(kBase64Characters) != text.npos || text.size() % 4 == 1) return false;
  if (bytes < minimum || bytes > 64) return false;
  return base64_decode(std::string(text) + std::string((4 - text.size() % 4) % 4, '=')).has_value();
}

Result<void> check_argon2(std::string_view encoded) {
  Error malformed{"not an Argon2id hash; expected argon2:$argon2id$v=19$m=...,t=...,p=...$SALT$HASH"};
  if (encoded.size() > kMaxArgon2Bytes) return malformed;
  std::string_view rest = encoded;
  if (!take(rest, "$argon2id$v=19$m=")) return malformed;
  std::optional<uint32_t> memory = take_number(rest);
  if (!memory || !take(rest, ",t=")) return malformed;
  std::optional<uint32_t> passes = take_number(rest);
  if (!passes || !take(rest, ",p=")) return malformed;
  std::optional<uint32_t> lanes = take_number(rest);
  if (!lanes || !take(rest, "$")) return malformed;
  size_t dollar = rest.find('$');
  if (dollar == rest.npos || !is_base64(rest.substr(0, dollar), 8) || !is_base64(rest.substr(dollar + 1), 16))
    return malformed;
  if (*memory > kMaxArgon2Memory)
    return Error{fmt::format("Argon2 hash with m={}; at most {} (256 MiB) is supported", *memory, kMaxArgon2Memory)};
  if (*passes > kMaxArgon2Passes)
    return Error{fmt::format("Argon2 hash with t={}; at most {} is supported", *passes, kMaxArgon2Passes)};
  if (*lanes > kMaxArgon2Lanes)
    return Error{fmt::format("Argon2 hash with p={}; at most {} is supported", *lanes, kMaxArgon2Lanes)};
  if (*memory < 8 * *lanes) return Error{"Argon2 hash with m below 8 times p"};
  return {};
}

} // namespace

StoredForm form_of(std::string_view stored) {
  if (stored.starts_with(kSha256)) return StoredForm::Sha256;
  return stored.starts_with(kArgon2) ? StoredForm::Argon2 : StoredForm::Plain;
}

Result<void> check_stored_credential(std::string_view stored) {
  switch (form_of(stored)) {
  case StoredForm::Sha256:
    return {};
  case StoredForm::Argon2:
    return check_argon2(stored.substr(kArgon2.size()));
  case StoredForm::Plain:
    break;
  }
  if (stored.find_first_not_of(kPlainCharacters) == stored.npos) return {};
  return Error{"contains unsupported characters (supported are A-Z,0-9,!,$,(,),*,+,.,;,<,=,>,[,],^,_,-,{,})"};
}

bool matches(std::string_view stored, std::string_view given) {
  switch (form_of(stored)) {
  case StoredForm::Sha256:
    return equal_in_constant_time(stored.substr(kSha256.size()), base64_encode(sha256(given)));
  case StoredForm::Argon2: {
    if (!check_stored_credential(stored)) return false;
    CHECK(sodium_init() >= 0);
    std::string encoded(stored.substr(kArgon2.size()));
    return crypto_pwhash_str_verify(encoded.c_str(), given.data(), given.size()) == 0;
  }
  case StoredForm::Plain:
    break;
  }
  return equal_in_constant_time(stored, given);
}

bool matches(const StoredPair &stored, const GivenPair &given) {
  bool user = matches(stored.user, given.user), password = matches(stored.password, given.password);
  return static_cast<int>(user) & static_cast<int>(password);
}

} // namespace sluice::auth
