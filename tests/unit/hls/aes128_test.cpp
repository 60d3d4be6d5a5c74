#include "workers/hls/demux/aes128.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace sluice::hls {
namespace {

const ByteVector kKey = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
const ByteVector kVector(16, 0x42);

ByteVector encrypt(const ByteVector &plain) {
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  ByteVector out(plain.size() + 32);
  int first = 0, last = 0;
  EVP_EncryptInit_ex(context, EVP_aes_128_cbc(), nullptr, kKey.data(), kVector.data());
  EVP_EncryptUpdate(context, out.data(), &first, plain.data(), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(context, out.data() + first, &last);
  EVP_CIPHER_CTX_free(context);
  out.resize(static_cast<size_t>(first + last));
  return out;
}

TEST(Aes128, DecryptsInAnyPieces) {
  for (size_t size : {0, 1, 15, 16, 17, 188 * 7}) {
    ByteVector plain(size, 0x33), secret = encrypt(plain);
    for (size_t piece : {size_t{1}, size_t{16}, size_t{100}, SIZE_MAX}) {
      auto decryptor = Aes128Decryptor::create(kKey, kVector);
      ASSERT_TRUE(decryptor.has_value());
      ByteVector out;
      for (Bytes rest(secret); !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
        ASSERT_TRUE(decryptor->push(rest.first(std::min(piece, rest.size())), out).has_value());
      ASSERT_TRUE(decryptor->finish(out).has_value());
      EXPECT_EQ(out, plain) << size << " " << piece;
    }
  }
}

TEST(Aes128, TellsWhatDoesNotFit) {
  ByteVector secret = encrypt(ByteVector(100, 1));
  ByteVector out;
  auto cut = Aes128Decryptor::create(kKey, kVector);
  ASSERT_TRUE(cut->push(Bytes(secret).first(50), out).has_value());
  EXPECT_FALSE(cut->finish(out).has_value());
  auto empty = Aes128Decryptor::create(kKey, kVector);
  EXPECT_FALSE(empty->finish(out).has_value());
  auto another = Aes128Decryptor::create(kVector, kVector);
  ASSERT_TRUE(another->push(secret, out).has_value());
  EXPECT_FALSE(another->finish(out).has_value());
  EXPECT_FALSE(Aes128Decryptor::create(Bytes(kKey).first(15), kVector).has_value());
  EXPECT_FALSE(Aes128Decryptor::create(kKey, Bytes(kVector).first(8)).has_value());
}

} // namespace
} // namespace sluice::hls
