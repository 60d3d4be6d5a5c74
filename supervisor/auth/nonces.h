// Digest nonces without a table: 8 random bytes and 8 bytes of HMAC-SHA256(secret, random bytes, peer), as 32 hex
// digits. They are good for one client's connection, as long as the secret lives, whichever process asks.
#pragma once

#include "supervisor/auth/hashes.h"

#include <string>
#include <string_view>

namespace sluice::auth {

using NonceSecret = HashKey; // random_key(), or a predecessor's

class Nonces {
public:
  explicit Nonces(const NonceSecret &secret) : secret_(secret) {}

  std::string make(std::string_view peer) const; // peer: "1.2.3.4:5", "[::1]:5"
  bool check(std::string_view nonce, std::string_view peer) const;

private:
  std::string with_proof(Bytes random, std::string_view peer) const;

  NonceSecret secret_;
};

} // namespace sluice::auth
