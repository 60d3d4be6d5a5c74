#include "common/base/log.h"
#include "supervisor/auth/external.h"
#include "tests/unit/auth/http_server.h"
#include "tests/unit/auth/on_loop.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>

#include <cstring>
#include <map>

// libcurl's threads resolve by this one.
extern "C" int getaddrinfo(const char *host, const char *service, const addrinfo *hints, addrinfo **result) {
  if (host != nullptr && std::strcmp(host, "hangs.test") == 0) {
    ::usleep(1'500'000);
    return EAI_AGAIN;
  }
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(host, service, hints, result);
}

namespace sluice::auth {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

#ifdef __SANITIZE_ADDRESS__
constexpr int kSlowBuild = 5;
#else
constexpr int kSlowBuild = 1;
#endif

struct Lines final : LogSink {
  Lines() { set_log(this, LogLevel::Debug); }
  ~Lines() override { set_log(nullptr, LogLevel::Error); }
  void write(LogLevel level, std::string_view message) override {
    EXPECT_EQ(level, LogLevel::Warn);
    lines.emplace_back(message);
  }
  std::vector<std::string> lines;
};

struct External : testing::Test, ExternalAuthentication::Listener {
  void on_external_answer(uint64_t id, Result<void> answer) override {
    EXPECT_TRUE(answers.emplace(id, answer ? "accepted" : answer.error().message).second);
    if (cancels != 0) external.cancel(std::exchange(cancels, 0));
  }
  void ask(uint64_t id, const std::string &url, Nanoseconds timeout = 10 * kSecond) {
    ExternalRequest request{"1.2.3.4",       SecretText("name"),     SecretText("geheim"), "cam/" + std::to_string(id),
                            Action::Publish, SecretText("a=b&c=%20")};
    ASSERT_TRUE(external.ask(id, url, timeout, request));
  }
  std::string answer_of(const std::string &url, Nanoseconds timeout = 10 * kSecond) {
    uint64_t id = next_id++;
    ask(id, url, timeout);
    EXPECT_TRUE(on_loop.run_until([&] { return answers.contains(id); }));
    return answers[id];
  }
  static HttpServer::Handler always(std::string response) {
    return [response = std::move(response)](const HttpRequest &) { return response; };
  }

  OnLoop on_loop;
  Lines log;
  std::map<uint64_t, std::string> answers;
  uint64_t next_id = 1, cancels = 0;
  ExternalAuthentication external{on_loop.loop(), *this};
};

TEST(ExternalBody, HasTheKeysInOrder) {
  ExternalRequest request{"::1",        SecretText("a\"b\\\n\x1f"), SecretText("p\xc3\xa4\xff"), "cam",
                          Action::Read, SecretText("x=1")};
  auto body = external_body(request);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->view(), "{\"ip\":\"::1\",\"user\":\"a\\\"b\\\\\\n\\u001f\",\"password\":\"p\xc3\xa4\xef\xbf\xbd\","
                          "\"path\":\"cam\",\"protocol\":\"rtsp\",\"id\":null,\"action\":\"read\","
                          "\"query\":\"x=1\"}");
  request.protocol = "rtmp";
  request.log_id = 123;
  EXPECT_THAT(external_body(request)->view(), HasSubstr(R"("path":"cam","protocol":"rtmp","id":"123","action":)"));
  request.user = SecretText(std::string_view("a\0b", 3));
  EXPECT_FALSE(external_body(request));
  request.user = {};
  size_t without = external_body(request)->view().size();
  request.user = SecretText(std::string(5000, '\x01'));
  EXPECT_EQ(external_body(request)->view().size(), without + 5000 * 6);
}

TEST_F(External, PostsJson) {
  HttpServer server(always(http_response(200, {}, "ignored")));
  EXPECT_EQ(answer_of(server.url("/auth?x=1")), "accepted");
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/auth?x=1");
  EXPECT_THAT(requests[0].head, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(requests[0].head, Not(HasSubstr("Expect")));
  EXPECT_EQ(requests[0].body, R"({"ip":"1.2.3.4","user":"name","password":"geheim","path":"cam/1","protocol":"rtsp",)"
                              R"("id":null,"action":"publish","query":"a=b&c=%20"})");
  EXPECT_TRUE(log.lines.empty());
}

TEST_F(External, Accepts200To209) {
  for (int status : {200, 201, 204, 209, 210, 299, 302, 400, 401, 404, 500, 503}) {
    std::string expected = status <= 209 ? "accepted" : "bad status code: " + std::to_string(status);
    HttpServer server(always(status == 204 ? "HTTP/1.1 204 No\r\n\r\n" : http_response(status)));
    EXPECT_EQ(answer_of(server.url()), expected);
  }
  EXPECT_TRUE(log.lines.empty());
}

TEST_F(External, FollowsRedirectsAndKeepsPostOnlyFor307And308) {
  for (int status : {301, 302, 303, 307, 308}) {
    HttpServer server([&](const HttpRequest &request) {
      return request.target == "/next" ? http_response(200) : http_response(status, "Location: /next\r\n");
    });
    EXPECT_EQ(answer_of(server.url()), "accepted");
    auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[1].method, status >= 307 ? "POST" : "GET") << status;
    EXPECT_EQ(requests[1].body, status >= 307 ? requests[0].body : "");
  }
}

TEST_F(External, FollowsNoRedirectsToOtherSchemesNorWithoutEnd) {
  for (const char *location : {"ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "geheim://x"}) {
    HttpServer server(always(http_response(302, "Location: " + std::string(location) + "\r\n")));
    EXPECT_EQ(answer_of(server.url()), "Unsupported protocol") << location;
  }
  HttpServer server(always(http_response(307, "Location: /again\r\n")));
  EXPECT_EQ(answer_of(server.url()), "Number of redirects hit maximum amount");
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST_F(External, RefusesWhenTheServerIsDownAndSaysSoOnceASecond) {
  uint16_t port = HttpServer(always("")).port(); // nobody listens any more
  std::string url = "http://operator:wort@127.0.0.1:" + std::to_string(port) + "/auth?token=zeichen";
  for (int i = 0; i < 3; i++) EXPECT_THAT(answer_of(url), HasSubstr("Failed to connect to 127.0.0.1"));
  ASSERT_EQ(log.lines.size(), 1u);
  on_loop.run_for(kSecond);
  answer_of(url);
  ASSERT_EQ(log.lines.size(), 2u);
  EXPECT_THAT(log.lines[0],
              HasSubstr("no answer from http://127.0.0.1:" + std::to_string(port) + ": Failed to connect"));
  EXPECT_THAT(log.lines[0], HasSubstr("since the last such line: 1"));
  EXPECT_THAT(log.lines[1], HasSubstr("since the last such line: 3"));
  for (const std::string &line : log.lines)
    for (const char *secret : {"geheim", "name", "wort", "zeichen"}) EXPECT_THAT(line, Not(HasSubstr(secret)));
}

TEST_F(External, GivesUpAfterTheTimeout) {
  HttpServer silent([](const HttpRequest &) { return std::nullopt; });
  Nanoseconds begin = on_loop.loop().now();
  EXPECT_THAT(answer_of(silent.url(), 300 * kMillisecond), HasSubstr("timed out"));
  Nanoseconds elapsed = on_loop.loop().now() - begin;
  EXPECT_GE(elapsed, 299 * kMillisecond);
  EXPECT_LT(elapsed, 2 * kSecond);
  EXPECT_EQ(log.lines.size(), 1u);
}

TEST_F(External, IsNotHeldUpByAResolverThatHangs) {
  Nanoseconds begin = on_loop.loop().now();
  for (uint64_t id = 100; id < 140; id++) ask(id, "http://hangs.test/", 300 * kMillisecond);
  HttpServer server(always(http_response(200)));
  ASSERT_TRUE(on_loop.run_until([&] { return answers.size() == 40; }));
  EXPECT_LT(on_loop.loop().now() - begin, 1200 * kMillisecond);
  EXPECT_LT(on_loop.longest_gap(), 250 * kMillisecond);
  EXPECT_THAT(answers[100], HasSubstr("timed out"));
  EXPECT_THAT(answers[120], AnyOf(HasSubstr("no answer in time"), HasSubstr("timed out"))); // never or hardly begun
  EXPECT_EQ(answer_of(server.url()), "accepted");
  on_loop.run_for(1500 * kMillisecond); // the threads end
}

TEST_F(External, AbortsLongResponses) {
  HttpServer body(always(http_response(200, {}, std::string(100'000, 'x'))));
  EXPECT_EQ(answer_of(body.url()), "response is too long");
  HttpServer head(always(http_response(200, "X: " + std::string(70'000, 'x') + "\r\n")));
  EXPECT_NE(answer_of(head.url()), "accepted");
  HttpServer fits(always(http_response(200, {}, std::string(60'000, 'x'))));
  EXPECT_EQ(answer_of(fits.url()), "accepted");
}

TEST_F(External, RefusesWhatIsNotHttp) {
  HttpServer server(always("garbage\r\n\r\n"));
  EXPECT_NE(answer_of(server.url()), "accepted");
  EXPECT_NE(answer_of("file:///etc/passwd"), "accepted");
  EXPECT_NE(answer_of("http://"), "accepted");
}

TEST_F(External, KeepsConnections) {
  HttpServer server(always(http_response(200)));
  for (int i = 0; i < 5; i++) EXPECT_EQ(answer_of(server.url()), "accepted");
  EXPECT_EQ(server.requests().size(), 5u);
  EXPECT_EQ(server.accepted(), 1u);
}

TEST_F(External, AThousandOutstandingAnswersHoldUpNobody) {
  HttpServer server([](const HttpRequest &request) -> std::optional<std::string> {
    if (request.target == "/silent") return std::nullopt;
    return http_response(200);
  });
  for (uint64_t id = 1000; id < 2000; id++) ask(id, server.url("/silent"));
  ASSERT_TRUE(on_loop.run_until([&] { return server.asked() == 1000; }));
  RecordProperty("longest_turn_us", static_cast<int>(on_loop.longest_busy() / kMicrosecond));
  EXPECT_LT(on_loop.longest_busy(), kSlowBuild * 5 * kMillisecond);

  Nanoseconds quickest = kSecond;
  for (int i = 0; i < 20; i++) {
    Nanoseconds begin = on_loop.loop().now();
    EXPECT_EQ(answer_of(server.url("/quick")), "accepted");
    Nanoseconds elapsed = on_loop.loop().now() - begin;
    EXPECT_LT(elapsed, 250 * kMillisecond); // however busy the machine is
    EXPECT_LT(on_loop.longest_busy(), kSlowBuild * 5 * kMillisecond);
    quickest = std::min(quickest, elapsed);
  }
  RecordProperty("quickest_answer_us", static_cast<int>(quickest / kMicrosecond));
  EXPECT_LT(quickest, kSlowBuild * 5 * kMillisecond);
  EXPECT_EQ(external.outstanding(), 1000u);
  for (uint64_t id = 1000; id < 2000; id += 2) external.cancel(id);
  EXPECT_EQ(external.outstanding(), 500u);
  EXPECT_EQ(answers.size(), 20u);
}

TEST_F(External, RefusesMoreThanItsLimit) {
  for (uint64_t id = 0; id < ExternalAuthentication::kMaxQuestions; id++) ask(10'000 + id, "http://127.0.0.1:1/");
  auto asked = external.ask(1, "http://127.0.0.1:1/", kSecond, {});
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().message, "too many authentication requests");
  ASSERT_EQ(log.lines.size(), 1u);
}

TEST_F(External, DoesNotAnswerWhatWasCancelled) {
  HttpServer server([](const HttpRequest &request) -> std::optional<std::string> {
    if (request.target == "/silent") return std::nullopt;
    return http_response(200);
  });
  ask(100, server.url());
  external.cancel(100); // before it began
  ask(101, server.url("/silent"));
  ASSERT_TRUE(on_loop.run_until([&] { return server.requests().size() == 1; }));
  external.cancel(101); // under way
  external.cancel(102); // unknown
  cancels = 104;
  ask(103, server.url());
  ask(104, server.url("/silent"));
  ASSERT_TRUE(on_loop.run_until([&] { return answers.contains(103); }));
  EXPECT_EQ(external.outstanding(), 0u);
  on_loop.run_for(50 * kMillisecond);
  EXPECT_EQ(answers.size(), 1u);
}

} // namespace
} // namespace sluice::auth
