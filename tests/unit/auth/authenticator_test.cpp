#include "common/base/base64.h"
#include "supervisor/auth/authenticator.h"
#include "tests/unit/auth/http_server.h"
#include "tests/unit/auth/on_loop.h"

#include <gmock/gmock.h>

#include <map>

namespace sluice::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char *kShaUser = "sha256:BPiZbadjt6lpsQKO4wB1aerzpjVIbdqyEdUSyFud+Ps=";
constexpr const char *kShaPass = "sha256:10/w7o2juYBrGMh32/KbveULW9jk2tejpyUAD+uC6PE=";
constexpr const char *kArgonPassword = // "password"
    "argon2:$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
constexpr const char *kBasic = "Basic realm=\"IPCAM\"";
constexpr const char *kUrl = "rtsp://127.0.0.1:8554/cam";

struct Authentication : testing::Test, Authenticator::Listener {
  Authentication() { authenticator.configure(settings); }

  void on_verdict(uint64_t id, const Verdict &verdict) override {
    EXPECT_TRUE(verdicts.emplace(id, verdict).second);
    for (uint64_t other : std::exchange(cancels, {})) authenticator.cancel(other);
  }
  Request request(const std::string &user, const std::string &password, std::vector<std::string> ips = {}) {
    Request made;
    made.path = "cam";
    made.ip = "1.2.3.4";
    made.peer = "1.2.3.4:5";
    made.method = "DESCRIBE";
    made.url = kUrl;
    made.access = {user, password, *IpList::parse(ips)};
    return made;
  }
  Request plain(const std::string &user, const std::string &password, const char *given_user,
                const char *given_password) {
    Request made = request(user, password);
    made.protocol = config::Protocol::Rtmp;
    made.user = SecretText(given_user);
    made.password = SecretText(given_password);
    return made;
  }
  Verdict verdict_of(Request asked) {
    uint64_t id = next_id++;
    authenticator.check(id, std::move(asked));
    EXPECT_TRUE(verdicts.contains(id) || on_loop.run_until([&] { return verdicts.contains(id); }));
    return verdicts[id];
  }
  std::string outcome_of(Request asked) {
    Verdict verdict = verdict_of(std::move(asked));
    return verdict.accepted ? "accepted" : verdict.reason;
  }

  static SecretText basic(const std::string &text) { return SecretText("Basic " + base64_encode(as_bytes(text))); }
  static SecretText digest(const std::string &nonce, const std::string &password, const std::string &uri = kUrl) {
    std::string response = md5_hex({md5_hex({"user", "IPCAM", password}), nonce, md5_hex({"DESCRIBE", uri})});
    return SecretText("Digest username=\"user\", realm=\"IPCAM\", nonce=\"" + nonce + "\", uri=\"" + uri +
                      "\", response=\"" + response + "\"");
  }
  static std::string nonce_in(const Verdict &verdict) {
    const std::string &challenge = verdict.challenges.back();
    return challenge.substr(challenge.size() - 33, 32);
  }

  OnLoop on_loop;
  Settings settings{{true, true}, {}, 10 * kSecond};
  std::map<uint64_t, Verdict> verdicts;
  std::vector<uint64_t> cancels;
  uint64_t next_id = 1;
  Authenticator authenticator{on_loop.loop(), *this};
};

TEST(PathAccess, IsThatOfTheAction) {
  config::PathConfiguration path;
  path.publish_user = "pu", path.publish_pass = "pp", path.publish_ips = {"10.0.0.0/8"};
  path.read_user = "ru", path.read_pass = "rp";
  auto publish = path_access(path, Action::Publish), read = path_access(path, Action::Read);
  ASSERT_TRUE(publish && read);
  EXPECT_EQ(publish->user + publish->password, "pupp");
  EXPECT_TRUE(publish->ips.contains("10.1.1.1"));
  EXPECT_EQ(read->user + read->password, "rurp");
  EXPECT_TRUE(read->ips.empty());
  path.read_ips = {"x"};
  EXPECT_FALSE(path_access(path, Action::Read));
}

TEST_F(Authentication, AcceptsAnybodyWithoutRules) {
  EXPECT_EQ(outcome_of(request("", "")), "accepted");
  Request garbage = request("", "");
  garbage.authorization = SecretText("garbage");
  EXPECT_EQ(outcome_of(std::move(garbage)), "accepted");
  EXPECT_EQ(outcome_of(plain("", "", "x", "y")), "accepted");
}

TEST_F(Authentication, RefusesOtherAddressesForGood) {
  EXPECT_EQ(outcome_of(request("", "", {"1.2.0.0/16"})), "accepted");
  Verdict verdict = verdict_of(request("user", "pass", {"10.0.0.0/8", "::1"}));
  EXPECT_EQ(verdict.reason, "IP '1.2.3.4' not allowed");
  EXPECT_TRUE(verdict.critical);
  EXPECT_THAT(verdict.challenges, IsEmpty());
}

TEST_F(Authentication, ChallengesWithTheEnabledMethods) {
  Verdict both = verdict_of(request("user", "pass"));
  EXPECT_EQ(both.reason, "authorization header is missing");
  EXPECT_FALSE(both.critical);
  EXPECT_THAT(both.challenges, ElementsAre(kBasic, StartsWith("Digest realm=\"IPCAM\", nonce=\"")));
  authenticator.configure({{true, false}, {}, kSecond});
  EXPECT_THAT(verdict_of(request("user", "pass")).challenges, ElementsAre(kBasic));
  authenticator.configure({{false, true}, {}, kSecond});
  EXPECT_THAT(verdict_of(request("user", "pass")).challenges, ElementsAre(StartsWith("Digest ")));
}

TEST_F(Authentication, TakesBasic) {
  Request asked = request("user", "pa.ss");
  asked.authorization = basic("user:pa.ss");
  EXPECT_EQ(outcome_of(std::move(asked)), "accepted");
  for (const char *text : {"user:pass", "user:", ":pa.ss", "User:pa.ss", "user:pa.ss:"}) {
    Request wrong = request("user", "pa.ss");
    wrong.authorization = basic(text);
    Verdict verdict = verdict_of(std::move(wrong));
    EXPECT_EQ(verdict.reason, "invalid credentials") << text;
    EXPECT_EQ(verdict.challenges.size(), 2u);
  }
  Request hashed = request(kShaUser, kShaPass);
  hashed.authorization = basic("user:pass");
  EXPECT_EQ(outcome_of(std::move(hashed)), "accepted");
  Request endless = request("user", kArgonPassword);
  endless.authorization = basic("user:" + std::string(2100, 'x'));
  EXPECT_EQ(outcome_of(std::move(endless)), "invalid credentials");
}

TEST_F(Authentication, TakesDigestWithANonceOfTheSameConnection) {
  std::string nonce = nonce_in(verdict_of(request("user", "pass")));
  Request asked = request("user", "pass");
  asked.authorization = digest(nonce, "pass");
  EXPECT_EQ(outcome_of(asked), "accepted");
  asked.peer = "1.2.3.4:6";
  EXPECT_EQ(outcome_of(asked), "wrong nonce");
  asked.peer = "1.2.3.4:5";
  asked.url = "rtsp://127.0.0.1:8554/other";
  EXPECT_EQ(outcome_of(asked), "wrong URL");
  asked.url = kUrl;
  asked.authorization = digest(nonce, "other");
  EXPECT_EQ(outcome_of(asked), "wrong response");
  asked.authorization = SecretText("Digest realm=\"IPCAM\"");
  EXPECT_EQ(outcome_of(asked), "nonce is missing");
}

TEST_F(Authentication, RefusesMethodsThatAreNotEnabled) {
  std::string nonce = nonce_in(verdict_of(request("user", "pass")));
  Request with_basic = request("user", "pass"), with_digest = with_basic;
  with_basic.authorization = basic("user:pass");
  with_digest.authorization = digest(nonce, "pass");
  authenticator.configure({{true, false}, {}, kSecond});
  EXPECT_EQ(outcome_of(with_basic), "accepted");
  EXPECT_EQ(outcome_of(with_digest), "digest authentication is not enabled");
  authenticator.configure({{false, true}, {}, kSecond});
  EXPECT_EQ(outcome_of(with_basic), "basic authentication is not enabled");
  EXPECT_EQ(outcome_of(with_digest), "accepted");
}

TEST_F(Authentication, OffersOnlyBasicForHashedCredentials) {
  for (auto [user, password] : {std::pair{kShaUser, kShaPass}, {"user", kShaPass}, {"user", kArgonPassword}}) {
    authenticator.configure({{true, true}, {}, kSecond});
    EXPECT_THAT(verdict_of(request(user, password)).challenges, ElementsAre(kBasic));
    Request asked = request(user, password);
    asked.authorization = digest("0123456789abcdef0123456789abcdef", password);
    EXPECT_EQ(outcome_of(asked), "digest authentication needs credentials without hash");
    authenticator.configure({{false, true}, {}, kSecond});
    Verdict verdict = verdict_of(asked);
    EXPECT_THAT(verdict.reason, HasSubstr("hashed credentials need basic authentication"));
    EXPECT_THAT(verdict.challenges, IsEmpty());
  }
}

TEST_F(Authentication, TakesUserAndPasswordOfOtherProtocols) {
  authenticator.configure({{false, true}, {}, kSecond}); // concerns RTSP only
  EXPECT_EQ(outcome_of(plain("user", "pass", "user", "pass")), "accepted");
  EXPECT_EQ(outcome_of(plain(kShaUser, kShaPass, "user", "pass")), "accepted");
  EXPECT_EQ(outcome_of(plain("user", kArgonPassword, "user", "password")), "accepted");
  Verdict verdict = verdict_of(plain("user", "pass", "user", "past"));
  EXPECT_EQ(verdict.reason, "invalid credentials");
  EXPECT_THAT(verdict.challenges, IsEmpty());
  Request header = plain("user", "pass", "", "");
  header.authorization = basic("user:pass");
  EXPECT_EQ(outcome_of(header), "accepted");
  for (const char *wrong : {"Basic x", "Digest realm=a", "Bearer x"}) {
    header.authorization = SecretText(wrong);
    EXPECT_EQ(outcome_of(header), "invalid credentials");
  }
}

TEST_F(Authentication, ComparesArgon2BesideTheLoopAndRemembersWhatMatched) {
  Request asked = request("user", kArgonPassword);
  asked.authorization = basic("user:password");
  authenticator.check(100, asked);
  EXPECT_FALSE(verdicts.contains(100));
  EXPECT_EQ(authenticator.pending(), 1u);
  ASSERT_TRUE(on_loop.run_until([&] { return verdicts.contains(100); }));
  EXPECT_TRUE(verdicts[100].accepted);
  EXPECT_EQ(authenticator.pending(), 0u);
  authenticator.check(101, asked);
  EXPECT_TRUE(verdicts[101].accepted); // at once
  authenticator.configure(settings);
  authenticator.check(102, asked);
  EXPECT_FALSE(verdicts.contains(102));

  Request wrong = asked;
  wrong.authorization = basic("user:passwort");
  EXPECT_EQ(outcome_of(wrong), "invalid credentials");
  authenticator.check(103, wrong);
  EXPECT_FALSE(verdicts.contains(103)); // not remembered
  wrong.authorization = basic("other:password");
  EXPECT_EQ(outcome_of(wrong), "invalid credentials");
}

TEST_F(Authentication, BoundsArgon2ButAsksEqualQuestionsOnce) {
  for (uint64_t i = 0; i < 1000; i++)
    authenticator.check(10'000 + i, plain("user", kArgonPassword, "user", "password"));
  EXPECT_EQ(authenticator.pending(), 1000u);
  for (uint64_t i = 1; i < SlowCredentials::kMaxComparisons; i++)
    authenticator.check(20'000 + i, plain("user", kArgonPassword, "user", std::to_string(i).c_str()));
  authenticator.check(30'000, plain("user", kArgonPassword, "user", "one more"));
  EXPECT_EQ(verdicts.at(30'000).reason, "too many authentication requests");
  EXPECT_EQ(verdicts.size(), 1u);
  cancels = {10'500, 20'063};
  ASSERT_TRUE(on_loop.run_until([&] { return authenticator.pending() == 0; }));
  EXPECT_EQ(verdicts.size(), 1u + 999 + SlowCredentials::kMaxComparisons - 2);
  EXPECT_FALSE(verdicts.contains(10'500));
  EXPECT_TRUE(verdicts.at(10'999).accepted);
}

TEST_F(Authentication, DoesNotAnswerWhatWasCancelled) {
  HttpServer silent([](const HttpRequest &) { return std::nullopt; });
  authenticator.check(100, plain("user", kArgonPassword, "user", "password"));
  authenticator.cancel(100);
  authenticator.configure({{true, true}, silent.url(), kSecond});
  authenticator.check(101, plain("", "", "user", "password"));
  ASSERT_TRUE(on_loop.run_until([&] { return silent.requests().size() == 1; }));
  authenticator.cancel(101);
  authenticator.cancel(102);
  EXPECT_EQ(authenticator.pending(), 0u);
  on_loop.run_for(100 * kMillisecond);
  EXPECT_TRUE(verdicts.empty());
}

TEST_F(Authentication, AsksTheExternalServerFirst) {
  HttpServer server([](const HttpRequest &asked) -> std::optional<std::string> {
    return http_response(asked.body.find("\"user\":\"anna\",\"password\":\"pa:ss\"") != asked.body.npos ? 200 : 401);
  });
  authenticator.configure({{true, true}, server.url(), 10 * kSecond});
  Verdict refused = verdict_of(request("", ""));
  EXPECT_EQ(refused.reason, "external authentication failed: bad status code: 401");
  EXPECT_THAT(refused.challenges, ElementsAre(kBasic));
  EXPECT_FALSE(refused.critical);
  Request asked = request("", "");
  asked.authorization = basic("anna:pa:ss");
  asked.query = SecretText("token=1");
  asked.log_id = 123456789;
  EXPECT_EQ(outcome_of(asked), "accepted");
  EXPECT_EQ(server.requests()[1].body,
            R"({"ip":"1.2.3.4","user":"anna","password":"pa:ss","path":"cam","protocol":"rtsp","id":"123456789",)"
            R"("action":"read","query":"token=1"})");
  asked.authorization = digest("0123456789abcdef0123456789abcdef", "pass");
  EXPECT_THAT(outcome_of(asked), HasSubstr("401"));
  EXPECT_THAT(server.requests()[2].body, HasSubstr(R"("user":"","password":"")"));
  EXPECT_EQ(outcome_of(plain("", "", "anna", "pa:ss")), "accepted");
  EXPECT_THAT(server.requests()[3].body, HasSubstr(R"("protocol":"rtmp","id":null)"));
  EXPECT_THAT(verdict_of(plain("", "", "anna", "x")).challenges, IsEmpty());

  Request elsewhere = asked;
  elsewhere.authorization = basic("anna:pa:ss");
  elsewhere.access.ips = *IpList::parse({"10.0.0.0/8"});
  EXPECT_TRUE(verdict_of(elsewhere).critical);
}

TEST_F(Authentication, RefusesAtOnceWhatItCannotAsk) {
  authenticator.configure({{true, true}, "http://127.0.0.1:1/", kSecond});
  Request asked = plain("", "", "", "");
  asked.user = SecretText(std::string_view("a\0b", 3));
  authenticator.check(100, std::move(asked));
  EXPECT_EQ(verdicts.at(100).reason, "external authentication failed: the request contains a NUL");
}

} // namespace
} // namespace sluice::auth
