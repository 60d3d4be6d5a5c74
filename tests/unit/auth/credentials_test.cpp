#include "supervisor/auth/credentials.h"
#include "supervisor/auth/hashes.h"
#include "supervisor/auth/secret_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::auth {
namespace {

// By other implementations of Argon2 and of SHA-256.
constexpr const char *kArgonTestUser =
    "argon2:$argon2id$v=19$m=4096,t=3,p=1$MTIzNDU2Nzg$Ux/LWeTgJQPyfMMJo1myR64+o8rALHoPmlE1i/TR+58";
constexpr const char *kArgonPassword =
    "argon2:$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
constexpr const char *kArgonPasswordTwoLanes =
    "argon2:$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
constexpr const char *kShaTestUser = "sha256:rl3rgi4NcZkpAEcacZnQ2VuOfJ0FxAqCRaKB/SwdZoQ=";

TEST(Credentials, MatchPlainText) {
  EXPECT_TRUE(matches("secret", "secret"));
  for (const char *given : {"", "secre", "secrets", "Secret", "secret "}) EXPECT_FALSE(matches("secret", given));
  EXPECT_FALSE(matches("secret", std::string_view("secret\0", 7)));
}

TEST(Credentials, MatchSha256) {
  EXPECT_TRUE(matches(kShaTestUser, "testuser"));
  for (const char *given : {"", "testuse", "rl3rgi4NcZkpAEcacZnQ2VuOfJ0FxAqCRaKB/SwdZoQ=", kShaTestUser})
    EXPECT_FALSE(matches(kShaTestUser, given)) << given;
  EXPECT_TRUE(matches("sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", ""));
}

TEST(Credentials, MatchArgon2) {
  EXPECT_TRUE(matches(kArgonTestUser, "testuser"));
  EXPECT_TRUE(matches(kArgonPassword, "password"));
  EXPECT_TRUE(matches(kArgonPasswordTwoLanes, "password"));
  for (const char *given : {"", "Password", "passwor"}) EXPECT_FALSE(matches(kArgonPassword, given)) << given;
}

TEST(Credentials, NeverMatchWhatIsNotAcceptedAsArgon2) {
  EXPECT_FALSE(matches("argon2:", ""));
  EXPECT_FALSE(matches(
      "argon2:$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"));
}

TEST(Credentials, NeedUserAndPassword) {
  StoredPair stored{"user", kShaTestUser};
  EXPECT_TRUE(matches(stored, {"user", "testuser"}));
  EXPECT_FALSE(matches(stored, {"user", "user"}));
  EXPECT_FALSE(matches(stored, {"testuser", "testuser"}));
  EXPECT_FALSE(stored.is_plain());
  EXPECT_FALSE(stored.is_slow());
  EXPECT_TRUE((StoredPair{"user", kArgonPassword}.is_slow()));
  EXPECT_TRUE((StoredPair{"user", "password"}.is_plain()));
}

TEST(StoredCredential, IsPlainOrHashed) {
  for (const char *stored : {"", "user", "aZ09!$()*+.;<=>[]^_-{}", "sha256:", "sha256:not looked at", kShaTestUser,
                             kArgonTestUser, kArgonPassword, kArgonPasswordTwoLanes})
    EXPECT_TRUE(check_stored_credential(stored)) << stored;
  for (const char *stored : {"a b", "a:b", "argon2:", "p\xc3\xa4ss", "a\"b", "a@b", "SHA256:x"})
    EXPECT_FALSE(check_stored_credential(stored)) << stored;
}

TEST(StoredCredential, IsNoMalformedArgon2Hash) {
  const std::string tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  for (const std::string &hash :
       std::vector<std::string>{std::string(),
                                std::string("$argon2id$"),
                                "$argon2i$v=19$m=256,t=2,p=1" + tail,
                                "$argon2d$v=19$m=256,t=2,p=1" + tail,
                                "$argon2id$v=16$m=256,t=2,p=1" + tail,
                                "$argon2id$m=256,t=2,p=1" + tail,
                                "$argon2id$v=19$t=2,m=256,p=1" + tail,
                                "$argon2id$v=19$m=0256,t=2,p=1" + tail,
                                "$argon2id$v=19$m=-1,t=2,p=1" + tail,
                                "$argon2id$v=19$m=,t=2,p=1" + tail,
                                "$argon2id$v=19$m=256,t=0,p=1" + tail,
                                "$argon2id$v=19$m=256,t=2,p=0" + tail,
                                "$argon2id$v=19$m=256,t=2,p=1",
                                "$argon2id$v=19$m=99999999999,t=2,p=1" + tail,
                                " $argon2id$v=19$m=256,t=2,p=1" + tail,
                                "$argon2id$v=19$m=256,t=2,p=1" + tail + "$",
                                "$argon2id$v=19$m=256,t=2,p=1" + tail + "=",
                                "$argon2id$v=19$m=256,t=2,p=1$$" + tail.substr(13),
                                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$AAAA",
                                "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + std::string(300, 'A'),
                                "$argon2id$v=19$m=8,t=2,p=2" + tail})
    EXPECT_FALSE(check_stored_credential("argon2:" + hash)) << hash;
}

TEST(StoredCredential, BoundsTheCostOfArgon2) {
  const std::string head = "argon2:$argon2id$v=19$", tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
  EXPECT_TRUE(check_stored_credential(head + "m=262144,t=16,p=16" + tail));
  for (const char *costs : {"m=262145,t=1,p=1", "m=4294967295,t=1,p=1", "m=256,t=17,p=1", "m=256,t=1,p=17"}) {
    auto checked = check_stored_credential(head + costs + tail);
    ASSERT_FALSE(checked) << costs;
    EXPECT_NE(checked.error().message.find("is supported"), std::string::npos) << checked.error().message;
  }
}

TEST(SecretText, TakesAndWipesItsSource) {
  std::string source = "secret";
  SecretText text = SecretText::take(source);
  EXPECT_EQ(text.view(), "secret");
  EXPECT_TRUE(source.empty());
  EXPECT_EQ(std::string_view(source.data(), 6), std::string_view("\0\0\0\0\0\0", 6));
  SecretText moved = std::move(text);
  text = moved;
  EXPECT_EQ(text.view(), moved.view());
}

TEST(Hashes, KeepPartsApart) {
  HashKey key = random_key();
  EXPECT_EQ(keyed_hash(key, {"ab", "c"}), keyed_hash(key, {"ab", "c"}));
  EXPECT_NE(keyed_hash(key, {"ab", "c"}), keyed_hash(key, {"a", "bc"}));
  EXPECT_NE(keyed_hash(key, {"ab", "c"}), keyed_hash(random_key(), {"ab", "c"}));
}

} // namespace
} // namespace sluice::auth
