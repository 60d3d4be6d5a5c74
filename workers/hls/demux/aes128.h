// Decrypts segments whose key has the method AES-128 (RFC 8216 section 4.3.2.4): AES in CBC mode over the whole
// segment, padded as PKCS#7 says (RFC 5652 section 6.3). One for each segment; bytes come in any pieces.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

#include <openssl/types.h>

#include <memory>

namespace sluice::hls {

constexpr size_t kAesBlock = 16; // of key, initialisation vector and blocks

class Aes128Decryptor {
public:
  // Error: the key's or the vector's size is not kAesBlock.
  static Result<Aes128Decryptor> create(Bytes key, Bytes vector);

  // Appends what can be decrypted by now, at most kAesBlock bytes more than there are in `bytes`.
  Result<void> push(Bytes bytes, ByteVector &out);
  // Appends the rest. Error: that was not the whole segment, or another key.
  Result<void> finish(ByteVector &out);

private:
  struct Free {
    void operator()(EVP_CIPHER_CTX *context) const;
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;

  explicit Aes128Decryptor(Context context) : context_(std::move(context)) {}

  Context context_;
};

} // namespace sluice::hls
