#include "tests/unit/rtsp/client_harness.h"
#include "workers/rtsp/protocol/client_credentials.h"

#include <gmock/gmock.h>

namespace sluice::rtsp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<Challenge> parsed(std::string_view value) {
  auto challenges = parse_challenges(value);
  EXPECT_TRUE(challenges.has_value()) << value;
  return challenges ? *challenges : std::vector<Challenge>();
}

std::string answer_to(std::string_view value, std::string_view userinfo, std::string nonce, std::string_view method,
                      std::string_view url) {
  ClientCredentials credentials(userinfo, std::move(nonce));
  EXPECT_TRUE(credentials.accept(parsed(value)));
  return credentials.authorization(method, url);
}

TEST(Challenge, SeveralInOneHeader) {
  auto all = parsed(R"(Basic realm="a, b=c", Digest realm="x\"y", nonce=abc , qop="auth-int, auth",algorithm=MD5, )"
                    R"(Digest realm="z",nonce="n",algorithm="SHA-256", stale=TRUE,opaque="", Negotiate dG9rZW4==)");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0], (Challenge{.scheme = AuthScheme::Basic, .realm = "a, b=c"}));
  EXPECT_EQ(all[1], (Challenge{.scheme = AuthScheme::DigestMd5,
                               .realm = "x\"y",
                               .nonce = "abc",
                               .names_algorithm = true,
                               .qop_auth = true}));
  EXPECT_EQ(all[2], (Challenge{.scheme = AuthScheme::DigestSha256,
                               .realm = "z",
                               .nonce = "n",
                               .opaque = "",
                               .names_algorithm = true,
                               .stale = true}));
}

TEST(Challenge, LeavesOutWhatCanNotBeAnswered) {
  EXPECT_TRUE(parsed("Bearer realm=\"x\"").empty());
  EXPECT_TRUE(parsed("Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256").empty());
  EXPECT_TRUE(parsed("Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"").empty());
  EXPECT_TRUE(parsed("Digest realm=\"x\"").empty());
  EXPECT_TRUE(parsed("").empty());
  for (const char *bad : {"realm=\"x\"", "Digest realm=\"x", "=", "Digest ="})
    EXPECT_FALSE(parse_challenges(bad).has_value()) << bad;
  std::string many;
  for (size_t i = 0; i <= kMaxChallenges; i++) many += "Basic realm=x,";
  EXPECT_FALSE(parse_challenges(many).has_value());
}

// RFC 2617 section 3.5
TEST(ClientCredentials, DigestOfRfc2617) {
  std::string answer =
      answer_to(R"(Digest realm="testrealm@host.com", qop="auth,auth-int", )"
                R"(nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41")",
                "Mufasa:Circle%20Of%20Life", "0a4f113b", "GET", "/dir/index.html");
  EXPECT_EQ(answer, R"(Digest username="Mufasa", realm="testrealm@host.com", )"
                    R"(nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", )"
                    R"(response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41", )"
                    R"(qop=auth, nc=00000001, cnonce="0a4f113b")");
}

// RFC 7616 section 3.9.1: the stronger of two.
TEST(ClientCredentials, DigestOfRfc7616) {
  std::string tail = R"(realm="http-auth@example.org", qop="auth, auth-int", )"
                     R"(nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", )"
                     R"(opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")";
  std::string cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  std::string both = "Digest algorithm=SHA-256, " + tail + ", Digest algorithm=MD5, " + tail + ", Basic realm=\"x\"";
  std::string sha256 = answer_to(both, "Mufasa:Circle of Life", cnonce, "GET", "/dir/index.html");
  EXPECT_THAT(sha256, HasSubstr("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""));
  EXPECT_THAT(sha256, HasSubstr(", algorithm=SHA-256"));
  std::string md5 =
      answer_to("Digest algorithm=MD5, " + tail, "Mufasa:Circle of Life", cnonce, "GET", "/dir/index.html");
  EXPECT_THAT(md5, HasSubstr("response=\"8ca523f5e9506fed4657c9700eebdbec\""));
}

TEST(ClientCredentials, DigestOfRfc2069) {
  std::string answer =
      answer_to(R"(Digest realm="IPCAM", nonce="abc")", "admin:12345", "", "DESCRIBE", "rtsp://10.0.0.1/cam");
  // md5(md5(admin:IPCAM:12345):abc:md5(DESCRIBE:rtsp://10.0.0.1/cam))
  EXPECT_EQ(answer, R"(Digest username="admin", realm="IPCAM", nonce="abc", uri="rtsp://10.0.0.1/cam", )"
                    R"(response="60d1efca4ffee1a46e4f52c00d4c02c8")");
}

TEST(ClientCredentials, Basic) {
  EXPECT_EQ(answer_to("Basic realm=\"x\"", "user:p%40ss%3a%", "", "OPTIONS", "*"), "Basic dXNlcjpwQHNzOiU=");
  EXPECT_EQ(answer_to("Basic realm=\"x\"", "user", "", "OPTIONS", "*"), "Basic dXNlcjo=");
}

// --- in the exchange ---

const std::string kDigest = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\r\n";

TEST(ClientAuthentication, AnswersAChallengeAndThenAlways) {
  ClientHarness h("rtsp://user:pass@host/cam");
  h.connect();
  h.ok();
  h.answer("401 Unauthorized", "www-authenticate: Basic realm=\"r\"\r\n" + kDigest);
  EXPECT_EQ(h.last(), "DESCRIBE rtsp://host/cam");
  EXPECT_THAT(h.request, HasSubstr("Authorization: Digest username=\"user\""));
  EXPECT_THAT(h.request, HasSubstr("nc=00000001"));
  h.ok("", kAudioSdp);
  EXPECT_THAT(h.request, HasSubstr("SETUP rtsp://host/cam/track1"));
  EXPECT_THAT(h.request, HasSubstr("uri=\"rtsp://host/cam/track1\""));
  EXPECT_THAT(h.request, HasSubstr("nc=00000002"));
}

TEST(ClientAuthentication, SecondRefusalIsFinal) {
  ClientHarness h("rtsp://user:pass@host/cam");
  h.connect();
  h.answer("401 Unauthorized", kDigest);
  h.answer("401 Unauthorized", kDigest);
  EXPECT_EQ(h.last(), "failed authentication failed");

  ClientHarness basic("rtsp://user:pass@host/cam");
  basic.connect();
  basic.answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n");
  EXPECT_THAT(basic.request, HasSubstr("Authorization: Basic dXNlcjpwYXNz\r\n"));
  basic.answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"\r\n");
  EXPECT_EQ(basic.last(), "failed authentication failed");
}

// A new nonce with each refusal would go on for ever, and lock the account.
TEST(ClientAuthentication, NewNoncesDoNotMakeItTryOnAndOn) {
  ClientHarness h("rtsp://user:pass@host/cam");
  h.connect();
  for (int i = 0; i < 10; i++)
    h.answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"" + std::to_string(i) + "\"\r\n");
  EXPECT_EQ(h.done.size(), 3u);
  EXPECT_EQ(h.last(), "failed authentication failed");
  ClientHarness stale("rtsp://user:pass@host/cam");
  stale.connect();
  for (int i = 0; i < 10; i++)
    stale.answer("401 Unauthorized",
                 "WWW-Authenticate: Digest realm=\"r\", stale=true, nonce=\"" + std::to_string(i) + "\"\r\n");
  EXPECT_EQ(stale.done.size(), 4u);
  EXPECT_EQ(stale.last(), "failed authentication failed");
}

TEST(ClientAuthentication, AStaleNonceIsReplaced) {
  for (const char *stale : {", stale=true", ""}) { // not all say so
    ClientHarness h("rtsp://user:pass@host/cam");
    h.connect();
    h.answer("401 Unauthorized", kDigest);
    h.ok();
    h.answer("401 Unauthorized", std::string("WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\"") + stale + "\r\n");
    EXPECT_EQ(h.last(), "DESCRIBE rtsp://host/cam");
    EXPECT_THAT(h.request, HasSubstr("nonce=\"n2\""));
    h.ok("", kAudioSdp);
    EXPECT_THAT(h.last(), HasSubstr("SETUP"));
  }
}

TEST(ClientAuthentication, WithoutCredentialsOrAChallengeThatItKnows) {
  ClientHarness none;
  none.connect();
  none.answer("401 Unauthorized", kDigest);
  EXPECT_EQ(none.last(), "failed bad status code: 401 (Unauthorized)");
  ClientHarness unknown("rtsp://user:pass@host/cam");
  unknown.connect();
  unknown.answer("401 Unauthorized", "WWW-Authenticate: Bearer x=\"y\"\r\n");
  EXPECT_EQ(unknown.last(), "failed authentication failed");
}

TEST(ClientAuthentication, NothingButTheHeaderHoldsCredentials) {
  ClientHarness h("rtsp://user:s3cret@host/cam");
  h.connect();
  EXPECT_THAT(h.request, Not(HasSubstr("s3cret")));
  h.answer("401 Unauthorized", kDigest);
  EXPECT_THAT(h.request, Not(HasSubstr("s3cret")));
  h.answer("404 Not Found");
  h.ok("", kAudioSdp);
  for (const std::string &done : h.done) EXPECT_THAT(done, Not(HasSubstr("s3cret")));
}

} // namespace
} // namespace sluice::rtsp
