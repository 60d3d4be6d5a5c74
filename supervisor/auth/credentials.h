// Credentials as the configuration stores them: plain, "sha256:" and base64 of the SHA-256, or "argon2:" and an
// encoded Argon2id hash ($argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH; base64 without padding). Pure.
#pragma once

#include "common/base/result.h"

#include <string_view>

namespace sluice::auth {

constexpr size_t kMaxArgon2Bytes = 256;           // of the encoded hash
constexpr uint32_t kMaxArgon2Memory = 256 * 1024; // KiB
constexpr uint32_t kMaxArgon2Passes = 16;
constexpr uint32_t kMaxArgon2Lanes = 16;

enum class StoredForm : uint8_t { Plain, Sha256, Argon2 };
StoredForm form_of(std::string_view stored);

// Whether a configuration may hold this; empty is fine. What follows "sha256:" is not looked at.
Result<void> check_stored_credential(std::string_view stored);

// The time that it takes tells nothing of how near the given text is. Argon2 takes milliseconds to seconds: not on a
// loop. False for what check_stored_credential refuses.
bool matches(std::string_view stored, std::string_view given);

struct StoredPair {
  std::string_view user, password;
  bool is_slow() const { return form_of(user) == StoredForm::Argon2 || form_of(password) == StoredForm::Argon2; }
  bool is_plain() const { return form_of(user) == StoredForm::Plain && form_of(password) == StoredForm::Plain; }
};
struct GivenPair {
  std::string_view user, password;
};
// Both are always evaluated.
bool matches(const StoredPair &stored, const GivenPair &given);

} // namespace sluice::auth
