#include "supervisor/config/encryption.h"

#include "common/base/check.h"

#include <sodium.h>

#include <algorithm>
#include <vector>

namespace sluice::config {
namespace {

static_assert(std::tuple_size_v<EncryptionNonce> == crypto_secretbox_NONCEBYTES);
constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;

class Key {
public:
  explicit Key(std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), bytes_.size()), bytes_.begin());
  }
  ~Key() { sodium_memzero(bytes_.data(), bytes_.size()); }
  Key(const Key &) = delete;
  Key &operator=(const Key &) = delete;
  const uint8_t *data() const { return bytes_.data(); }

private:
  std::array<uint8_t, crypto_secretbox_KEYBYTES> bytes_{};
};

void initialize() {
  CHECK(sodium_init() >= 0);
}

const uint8_t *bytes_of(std::string_view text) {
  return reinterpret_cast<const uint8_t *>(text.data());
}

} // namespace

EncryptionNonce random_encryption_nonce() {
  initialize();
  EncryptionNonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

std::string encrypt(std::string_view text, std::string_view key_text, const EncryptionNonce &nonce) {
  initialize();
  Key key(key_text);
  std::vector<uint8_t> sealed(nonce.size() + crypto_secretbox_MACBYTES + text.size());
  std::copy(nonce.begin(), nonce.end(), sealed.begin());
  CHECK(crypto_secretbox_easy(sealed.data() + nonce.size(), bytes_of(text), text.size(), nonce.data(), key.data()) ==
        0);
  std::string encoded(sodium_base64_encoded_len(sealed.size(), kBase64), '\0');
  sodium_bin2base64(encoded.data(), encoded.size(), sealed.data(), sealed.size(), kBase64);
  encoded.back() = '\n'; // its terminating zero
  return encoded;
}

Result<std::string> decrypt(std::string_view encrypted, std::string_view key_text) {
  initialize();
  std::vector<uint8_t> sealed(encrypted.size() / 4 * 3 + 3);
  size_t length = 0;
  const char *end = nullptr;
  if (encrypted.find('\0') != encrypted.npos || // libsodium takes it as one of those to ignore
      sodium_base642bin(sealed.data(), sealed.size(), encrypted.data(), encrypted.size(), "\r\n", &length, &end,
                        kBase64) != 0 ||
      end != encrypted.data() + encrypted.size())
    return Error{"not valid base64, as an encrypted configuration is"};
  constexpr size_t kOverhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
  Error error{"decryption error (another key, or not as it was encrypted)"};
  if (length < kOverhead) return error;
  Key key(key_text);
  std::string text(length - kOverhead, '\0');
  if (crypto_secretbox_open_easy(reinterpret_cast<uint8_t *>(text.data()), sealed.data() + crypto_secretbox_NONCEBYTES,
                                 length - crypto_secretbox_NONCEBYTES, sealed.data(), key.data()) != 0)
    return error;
  return text;
}

} // namespace sluice::config
