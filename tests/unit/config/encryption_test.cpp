#include "supervisor/config/encryption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace sluice::config {
namespace {

using testing::HasSubstr;

EncryptionNonce counting_nonce() { // 1, 2, 3 …
  EncryptionNonce nonce;
  std::iota(nonce.begin(), nonce.end(), uint8_t{1});
  return nonce;
}

constexpr std::string_view kText = "paths:\n  all:\n";

struct KnownAnswer {
  const char *key, *encrypted;
};
// crypto_secretbox_easy of kText with counting_nonce(), called from Python.
constexpr KnownAnswer kKnownAnswers[] = {
    {"testing123testin", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYYeu5Ons0o2Qg5U/2R4YLg37RI6gUYcPUC0evG5ZA"},
    {"0123456789abcdef0123456789abcdef", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYfyszFZTZvKNSD3S2O6+t/zWu75hSg0byGHYmVAov"},
    {"0123456789abcdef0123456789abcdefMORE",
     "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYfyszFZTZvKNSD3S2O6+t/zWu75hSg0byGHYmVAov"},
    {"", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYQ88lG96pk1jAIHla+aLI1tvpKXJgZ2AvdI+O2wF7"},
};

TEST(Encryption, GivesTheKnownAnswers) {
  for (auto [key, encrypted] : kKnownAnswers) {
    EXPECT_EQ(encrypt(kText, key, counting_nonce()), std::string(encrypted) + "\n") << key;
    auto text = decrypt(encrypted, key);
    ASSERT_TRUE(text) << key;
    EXPECT_EQ(*text, kText);
  }
}

TEST(Encryption, IsReversedForAnyText) {
  for (size_t length : {0, 1, 2, 3, 100, 100'000}) {
    std::string text(length, '\0');
    auto decrypted = decrypt(encrypt(text, "key", random_encryption_nonce()), "key");
    ASSERT_TRUE(decrypted) << length;
    EXPECT_EQ(*decrypted, text);
  }
}

TEST(Decryption, ToleratesLineEnds) {
  std::string wrapped = "\r\n";
  for (char c : std::string_view(kKnownAnswers[0].encrypted)) wrapped += std::string(1, c) + "\r\n";
  auto text = decrypt(wrapped, kKnownAnswers[0].key);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, kText);
  std::string padded = encrypt("ab", "k", {});
  padded.insert(padded.size() - 2, "\n");
  EXPECT_EQ(decrypt(padded, "k").value(), "ab");
}

TEST(Decryption, RefusesWhatIsNotBase64) {
  std::string good = kKnownAnswers[0].encrypted;
  for (const std::string &wrong : {std::string("paths:\n  all:\n"), good + "=", good + " ", good.substr(1), "-" + good,
                                   good + std::string(1, '\0'), good + "AQ"})
    EXPECT_THAT(decrypt(wrong, kKnownAnswers[0].key).error().message, HasSubstr("not valid base64")) << wrong;
}

TEST(Decryption, RefusesAnotherKeyAndEveryChange) {
  const std::string good = kKnownAnswers[0].encrypted;
  for (const char *key : {"", "testing123testiN", "testing123testin0"})
    EXPECT_THAT(decrypt(good, key).error().message, HasSubstr("decryption error")) << key;
  for (size_t i = 0; i < good.size(); i++) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(decrypt(changed, kKnownAnswers[0].key)) << i;
  }
}

TEST(Decryption, RefusesWhatIsTooShort) {
  const std::string good = kKnownAnswers[0].encrypted;
  for (size_t length = 0; length < good.size(); length += 4)
    EXPECT_THAT(decrypt(good.substr(0, length), kKnownAnswers[0].key).error().message, HasSubstr("decryption error"))
        << length;
}

} // namespace
} // namespace sluice::config
