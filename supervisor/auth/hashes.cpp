#include "supervisor/auth/hashes.h"

#include "common/base/check.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <memory>

namespace sluice::auth {

Hash sha256(std::string_view text) {
  Hash hash;
  SHA256(reinterpret_cast<const uint8_t *>(text.data()), text.size(), hash.data());
  return hash;
}

Hash keyed_hash(const HashKey &key, std::initializer_list<std::string_view> parts) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (std::string_view part : parts) {
    uint8_t length[8];
    store_be64(length, part.size());
    crypto_auth_hmacsha256_update(&state, length, sizeof length);
    crypto_auth_hmacsha256_update(&state, reinterpret_cast<const uint8_t *>(part.data()), part.size());
  }
  Hash hash;
  crypto_auth_hmacsha256_final(&state, hash.data());
  sodium_memzero(&state, sizeof state);
  return hash;
}

HashKey random_key() {
  CHECK(sodium_init() >= 0);
  HashKey key;
  randombytes_buf(key.data(), key.size());
  return key;
}

const HashKey &process_key() {
  static const HashKey key = random_key();
  return key;
}

std::string md5_hex(std::initializer_list<std::string_view> parts) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(context && EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) == 1);
  bool first = true;
  for (std::string_view part : parts) {
    if (!first) EVP_DigestUpdate(context.get(), ":", 1);
    first = false;
    EVP_DigestUpdate(context.get(), part.data(), part.size());
  }
  std::array<uint8_t, 16> digest;
  CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return to_hex(digest);
}

std::string to_hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  Hash left = keyed_hash(process_key(), {a}), right = keyed_hash(process_key(), {b});
  return sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

} // namespace sluice::auth
