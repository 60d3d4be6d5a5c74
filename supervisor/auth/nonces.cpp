#include "supervisor/auth/nonces.h"

#include "common/base/random.h"

namespace sluice::auth {
namespace {

constexpr size_t kHalf = 8, kNonceDigits = 32;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

std::string Nonces::with_proof(Bytes random, std::string_view peer) const {
  Hash proof = keyed_hash(secret_, {as_text(random), peer});
  return to_hex(random) + to_hex(Bytes(proof).first(kHalf));
}

std::string Nonces::make(std::string_view peer) const {
  std::array<uint8_t, kHalf> random;
  store_be64(random.data(), secure_random());
  return with_proof(random, peer);
}

bool Nonces::check(std::string_view nonce, std::string_view peer) const {
  if (nonce.size() != kNonceDigits) return false;
  std::array<uint8_t, kHalf> random;
  for (size_t i = 0; i < kHalf; i++) {
    int high = hex_digit(nonce[2 * i]), low = hex_digit(nonce[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    random[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return equal_in_constant_time(with_proof(random, peer), nonce);
}

} // namespace sluice::auth
