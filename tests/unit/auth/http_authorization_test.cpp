#include "supervisor/auth/hashes.h"
#include "supervisor/auth/http_authorization.h"
#include "supervisor/auth/nonces.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice::auth {
namespace {

constexpr const char *kNonce = "0123456789abcdef0123456789abcdef";
constexpr const char *kUrl = "rtsp://127.0.0.1:8554/cam";

std::string digest_error(const DigestAuthorization &answer, std::string_view method = "DESCRIBE",
                         std::string_view url = kUrl, bool nonce_is_valid = true) {
  auto checked = check_digest(answer, {method, url, nonce_is_valid}, "user", "pass");
  return checked ? "" : checked.error().message;
}

// Responses by Python's hashlib.
DigestAuthorization right_answer() {
  return {"IPCAM", kNonce, "user", kUrl, "3640b83abb7b8661af6d5ab99ac6e115"};
}

TEST(Authorization, BasicSplitsAtTheFirstColon) {
  struct Case {
    const char *value, *user, *password;
  };
  for (auto [value, user, password] : {Case{"Basic dXNlcjpwYXNz", "user", "pass"},
                                       {"Basic dXNlcjpwYTpzczo=", "user", "pa:ss:"},
                                       {"basic   Og==", "", ""},
                                       {" BASIC\tdXNlcjo= ", "user", ""}}) {
    auto parsed = parse_authorization(value);
    ASSERT_TRUE(parsed) << value;
    const auto *basic = std::get_if<BasicAuthorization>(&*parsed);
    ASSERT_NE(basic, nullptr) << value;
    EXPECT_EQ(basic->user.view(), user);
    EXPECT_EQ(basic->password.view(), password);
  }
}

TEST(Authorization, DigestHasTokensAndQuotedStringsInAnyOrder) {
  auto parsed = parse_authorization(R"(Digest username="us\"er\\", realm=IPCAM ,NONCE = "a,b=c" ,, uri="",)"
                                    R"(response="x", algorithm=MD5, stale="")");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto &digest = std::get<DigestAuthorization>(*parsed);
  EXPECT_EQ(digest.username, "us\"er\\");
  EXPECT_EQ(digest.realm, "IPCAM");
  EXPECT_EQ(digest.nonce, "a,b=c");
  EXPECT_EQ(digest.uri, "");
  EXPECT_EQ(digest.response, "x");
  ASSERT_TRUE(parse_authorization("Digest"));
  EXPECT_FALSE(std::get<DigestAuthorization>(*parse_authorization("Digest ")).realm);
}

TEST(Authorization, OthersAreErrors) {
  for (const char *value :
       {"", " ", "Bearer abc", "Basic", "Basic !", "Basic dXNlcg==", "Basic dXNlcjpwYXNz dXNlcjpwYXNz",
        "BasicdXNlcjpwYXNz", "Digest realm", "Digest realm=", "Digest =x", "Digest realm=\"x", "Digest realm=\"x\\",
        "Digest realm=\"x\"y", "Digest realm=a b", "Digest realm=a\"b\"", "Digest realm=a, realm=a",
        "Digest x=1, Nonce=a, nonce=b", "Digest x=1, X=2"})
    EXPECT_FALSE(parse_authorization(value)) << value;
  std::string many = "Digest ";
  for (int i = 0; i < 33; i++) many += "p" + std::to_string(i) + "=1,";
  EXPECT_FALSE(parse_authorization(many));
  EXPECT_FALSE(parse_authorization("Digest realm=" + std::string(4096, 'a')));
}

TEST(Authorization, EachPrefixIsHandled) {
  std::string value = R"(Digest username="us\"er", realm="IPCAM", nonce=abc, uri="rtsp://x/", response="y")";
  for (size_t size = 0; size <= value.size(); size++) {
    auto parsed = parse_authorization(std::string_view(value).substr(0, size));
    if (parsed) {
      EXPECT_TRUE(std::holds_alternative<DigestAuthorization>(*parsed));
    }
  }
}

TEST(Challenge, NamesTheRealm) {
  EXPECT_EQ(basic_challenge(), "Basic realm=\"IPCAM\"");
  EXPECT_EQ(digest_challenge(kNonce), "Digest realm=\"IPCAM\", nonce=\"0123456789abcdef0123456789abcdef\"");
}

// The credentials of RFC 2617 section 3.5, answered without qop as in RFC 2069.
TEST(Digest, IsTheOneOfRfc2069) {
  EXPECT_EQ(md5_hex({md5_hex({"Mufasa", "testrealm@host.com", "Circle Of Life"}), "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                     md5_hex({"GET", "/dir/index.html"})}),
            "670fd8c2df070c60b045671b8b24ff02");
}

TEST(Digest, AcceptsTheRightAnswerOnly) {
  EXPECT_EQ(digest_error(right_answer()), "");
  DigestAuthorization answer = right_answer();
  answer.response = "52e66063eb5aa7f5ad354a03a0f94a9b"; // of another password
  EXPECT_EQ(digest_error(answer), "wrong response");
  answer = right_answer();
  EXPECT_EQ(digest_error(answer, "ANNOUNCE"), "wrong response");
  answer.response = "3640B83ABB7B8661AF6D5AB99AC6E115";
  EXPECT_EQ(digest_error(answer), "wrong response");
  EXPECT_EQ(digest_error(right_answer(), "DESCRIBE", "rtsp://127.0.0.1:8554/other"), "wrong URL");
  EXPECT_EQ(digest_error(right_answer(), "DESCRIBE", kUrl, false), "wrong nonce");
  answer = right_answer();
  answer.realm = "ipcam";
  EXPECT_EQ(digest_error(answer), "wrong realm");
  answer = right_answer();
  answer.username = "User";
  EXPECT_EQ(digest_error(answer), "wrong username");
}

TEST(Digest, SaysWhatIsMissing) {
  using Member = std::optional<std::string> DigestAuthorization::*;
  struct Case {
    Member member;
    const char *error;
  };
  for (auto [member, error] : {Case{&DigestAuthorization::realm, "realm is missing"},
                               {&DigestAuthorization::nonce, "nonce is missing"},
                               {&DigestAuthorization::username, "username is missing"},
                               {&DigestAuthorization::uri, "uri is missing"},
                               {&DigestAuthorization::response, "response is missing"}}) {
    DigestAuthorization answer = right_answer();
    answer.*member = std::nullopt;
    EXPECT_EQ(digest_error(answer), error);
  }
}

TEST(Digest, AcceptsTheUrlThatVlcSignsForSetup) {
  const std::string track = std::string(kUrl) + "/trackID=0", base = std::string(kUrl) + "/";
  DigestAuthorization exact{"IPCAM", kNonce, "user", track, "3f97d40cf36198a48663fb1bb602de4c"};
  DigestAuthorization vlc{"IPCAM", kNonce, "user", base, "750f0f98f44743c0ee2c22cb5b594c46"};
  EXPECT_EQ(digest_error(exact, "SETUP", track), "");
  EXPECT_EQ(digest_error(vlc, "SETUP", track), "");
  vlc.response = "581040c5f16e9c78632490162cc2f565"; // for DESCRIBE
  EXPECT_EQ(digest_error(vlc, "DESCRIBE", track), "wrong URL");
}

TEST(Nonces, AreBoundToSecretAndPeer) {
  Nonces nonces(NonceSecret{1, 2, 3}), successor(NonceSecret{1, 2, 3}), stranger(NonceSecret{4, 5, 6});
  std::string nonce = nonces.make("1.2.3.4:5");
  EXPECT_EQ(nonce.size(), 32u);
  EXPECT_EQ(nonce.find_first_not_of("0123456789abcdef"), nonce.npos);
  EXPECT_TRUE(nonces.check(nonce, "1.2.3.4:5"));
  EXPECT_TRUE(successor.check(nonce, "1.2.3.4:5"));
  EXPECT_FALSE(stranger.check(nonce, "1.2.3.4:5"));
  EXPECT_FALSE(nonces.check(nonce, "1.2.3.4:6"));
  for (size_t i = 0; i < nonce.size(); i++) {
    std::string other = nonce;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_FALSE(nonces.check(other, "1.2.3.4:5")) << i;
  }
  for (const char *text : {"", "0", "0123456789ABCDEF0123456789abcdef", "g123456789abcdef0123456789abcdef"})
    EXPECT_FALSE(nonces.check(text, "1.2.3.4:5"));
}

TEST(Nonces, NeverRepeat) {
  Nonces nonces(random_key());
  std::set<std::string> seen;
  for (int i = 0; i < 1000; i++) EXPECT_TRUE(seen.insert(nonces.make("1.2.3.4:5")).second);
}

} // namespace
} // namespace sluice::auth
