#include "workers/hls/demux/aes128.h"

#include "common/base/check.h"

#include <openssl/evp.h>

#include <algorithm>

namespace sluice::hls {

namespace {

constexpr size_t kLargestPiece = 1 << 24; // OpenSSL's lengths are ints

}

void Aes128Decryptor::Free::operator()(EVP_CIPHER_CTX *context) const {
  EVP_CIPHER_CTX_free(context);
}

Result<Aes128Decryptor> Aes128Decryptor::create(Bytes key, Bytes vector) {
  if (key.size() != kAesBlock) return Error{"the key of a segment does not have 16 bytes"};
  if (vector.size() != kAesBlock) return Error{"the initialisation vector of a segment does not have 16 bytes"};
  Context context(EVP_CIPHER_CTX_new());
  CHECK(context != nullptr);
  if (EVP_DecryptInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, key.data(), vector.data()) != 1)
    return Error{"AES-128 is not available"};
  return Aes128Decryptor(std::move(context));
}

Result<void> Aes128Decryptor::push(Bytes bytes, ByteVector &out) {
  while (!bytes.empty()) {
    Bytes piece = bytes.first(std::min(bytes.size(), kLargestPiece));
    bytes = bytes.subspan(piece.size());
    size_t before = out.size();
    int written = 0;
    out.resize(before + piece.size() + kAesBlock);
    bool decrypted =
        EVP_DecryptUpdate(context_.get(), &out[before], &written, piece.data(), static_cast<int>(piece.size())) == 1;
    out.resize(before + static_cast<size_t>(decrypted ? written : 0));
    if (!decrypted) return Error{"a segment can't be decrypted"};
  }
  return {};
}

Result<void> Aes128Decryptor::finish(ByteVector &out) {
  size_t before = out.size();
  int written = 0;
  out.resize(before + kAesBlock);
  bool decrypted = EVP_DecryptFinal_ex(context_.get(), &out[before], &written) == 1;
  out.resize(before + static_cast<size_t>(decrypted ? written : 0));
  if (!decrypted) return Error{"a segment can't be decrypted: its end does not fit the key"};
  return {};
}

} // namespace sluice::hls
