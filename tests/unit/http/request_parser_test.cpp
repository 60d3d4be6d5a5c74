#include "common/http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace sluice::http {
namespace {

struct Outcome {
  std::vector<Request> requests;
  uint16_t status = 0; // of the refusal; 0: none
  std::string reason;
  int continues = 0;
};

Outcome feed(RequestParser &parser, std::string_view text, size_t piece) {
  Outcome outcome;
  while (!text.empty()) {
    std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    while (!part.empty()) {
      RequestParser::Progress progress = parser.feed(as_bytes(part));
      part.remove_prefix(progress.consumed);
      if (auto *request = std::get_if<Request>(&progress.outcome)) outcome.requests.push_back(std::move(*request));
      outcome.continues += std::holds_alternative<ExpectsContinue>(progress.outcome);
      if (auto *refusal = std::get_if<Refusal>(&progress.outcome)) {
        outcome.status = refusal->status;
        outcome.reason = refusal->reason;
        return outcome;
      }
    }
  }
  return outcome;
}

// Whole, and byte by byte: the same.
Outcome parse(const std::string &text, size_t max_body_bytes = kDefaultMaxBodyBytes) {
  RequestParser parser(max_body_bytes), slow_parser(max_body_bytes);
  Outcome whole = feed(parser, text, text.size());
  Outcome slow = feed(slow_parser, text, 1);
  EXPECT_EQ(whole.status, slow.status) << text;
  EXPECT_EQ(whole.continues, slow.continues) << text;
  EXPECT_EQ(whole.requests.size(), slow.requests.size()) << text;
  for (size_t i = 0; i < std::min(whole.requests.size(), slow.requests.size()); i++) {
    EXPECT_EQ(whole.requests[i].target, slow.requests[i].target);
    EXPECT_EQ(whole.requests[i].body, slow.requests[i].body);
    EXPECT_EQ(whole.requests[i].headers.all().size(), slow.requests[i].headers.all().size());
  }
  return whole;
}

uint16_t status_of(const std::string &text, size_t max_body_bytes = kDefaultMaxBodyBytes) {
  Outcome outcome = parse(text, max_body_bytes);
  EXPECT_EQ(outcome.status == 0, outcome.reason.empty()) << text;
  return outcome.requests.empty() || outcome.status != 0 ? outcome.status : 200;
}

std::string get(const std::string &headers, const std::string &target = "/") {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
}
std::string post(const std::string &headers, const std::string &body) {
  return "POST /x HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n" + body;
}

TEST(RequestParser, YieldsAWholeRequest) {
  Outcome outcome = parse("POST /v1/config/paths/add/my%20path%2Fx?a=1&b=%20 HTTP/1.1\r\n"
                          "Host: localhost:9997\r\nX-Empty:\r\nX-Spaces: \t a b \t\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(outcome.requests.size(), 1U);
  const Request &request = outcome.requests[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/v1/config/paths/add/my%20path%2Fx?a=1&b=%20");
  EXPECT_EQ(request.path, "/v1/config/paths/add/my path/x");
  EXPECT_EQ(request.query, "a=1&b=%20");
  EXPECT_EQ(request.minor_version, 1);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.body, "hello");
  ASSERT_EQ(request.headers.all().size(), 4U);
  EXPECT_EQ(*request.headers.find("host"), "localhost:9997");
  EXPECT_EQ(*request.headers.find("x-empty"), "");
  EXPECT_EQ(*request.headers.find("X-SPACES"), "a b");
}

TEST(RequestParser, IsBetweenRequestsUntilTheFirstByte) {
  RequestParser parser;
  EXPECT_TRUE(parser.between_requests());
  EXPECT_EQ(parser.feed(as_bytes("\r\n")).consumed, 2U);
  EXPECT_TRUE(parser.between_requests());
  (void)parser.feed(as_bytes("G"));
  EXPECT_FALSE(parser.between_requests());
  auto progress = parser.feed(as_bytes("ET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(std::holds_alternative<Request>(progress.outcome));
  EXPECT_TRUE(parser.between_requests());
}

TEST(RequestParser, TakesPipelinedRequestsInOrder) {
  Outcome outcome = parse(get("", "/a") + post("Content-Length: 3\r\n", "abc") + "\r\n" +
                          post("Transfer-Encoding: chunked\r\n", "2\r\nxy\r\n0\r\n\r\n") + get("", "/b"));
  ASSERT_EQ(outcome.requests.size(), 4U);
  EXPECT_EQ(outcome.requests[0].path, "/a");
  EXPECT_EQ(outcome.requests[1].body, "abc");
  EXPECT_EQ(outcome.requests[2].body, "xy");
  EXPECT_EQ(outcome.requests[3].path, "/b");
}

TEST(RequestParser, LeavesWhatFollowsARequest) {
  std::string text = get("");
  RequestParser parser;
  auto progress = parser.feed(as_bytes(text + "GET /next"));
  EXPECT_EQ(progress.consumed, text.size());
}

TEST(RequestParser, PutsChunksTogether) {
  Outcome outcome = parse(post("Transfer-Encoding: Chunked\r\n",
                               "5;q=\"a b\"\r\nhello\r\n00A\r\n, world!!!\r\n0\r\nTrailer: dropped\r\n\r\n"));
  ASSERT_EQ(outcome.requests.size(), 1U) << outcome.reason;
  EXPECT_EQ(outcome.requests[0].body, "hello, world!!!");
  EXPECT_EQ(outcome.requests[0].headers.find("Trailer"), nullptr);
}

TEST(RequestParser, SaysWhetherTheConnectionStays) {
  auto keeps = [](const std::string &text) {
    Outcome outcome = parse(text);
    EXPECT_EQ(outcome.requests.size(), 1U);
    return !outcome.requests.empty() && outcome.requests[0].keep_alive;
  };
  EXPECT_TRUE(keeps(get("")));
  EXPECT_FALSE(keeps(get("Connection: close\r\n")));
  EXPECT_FALSE(keeps(get("Connection: TE, Close\r\n")));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestParser, GoesOnAfterARequestThatWantedToClose) {
  EXPECT_EQ(parse(get("Connection: close\r\n") + get("")).requests.size(), 2U);
}

TEST(RequestParser, ReportsExpectationsOfABody) {
  EXPECT_EQ(parse(post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab")).continues, 1);
  EXPECT_EQ(parse(post("expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")).continues, 1);
  EXPECT_EQ(parse(get("Expect: 100-continue\r\n")).continues, 0);
  EXPECT_EQ(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab").continues, 0);
  EXPECT_EQ(status_of(post("Expect: 100-continue\r\nContent-Length: 11\r\n", ""), 10), 413);
  EXPECT_EQ(status_of(get("Expect: miracles\r\n")), 417);
}

TEST(RequestParser, IgnoresUpgrades) {
  Outcome outcome =
      parse(get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n") + get("", "/next"));
  ASSERT_EQ(outcome.requests.size(), 2U) << outcome.reason;
  EXPECT_EQ(outcome.requests[1].path, "/next");
}

TEST(RequestParser, UnderstandsAllFormsOfTarget) {
  auto path_of = [](const std::string &text) {
    Outcome outcome = parse(text);
    return outcome.requests.empty() ? std::to_string(outcome.status) : outcome.requests[0].path;
  };
  EXPECT_EQ(path_of(get("", "http://host:1/a%41?b")), "/aA");
  EXPECT_EQ(path_of(get("", "HTTPS://host")), "/");
  EXPECT_EQ(path_of(get("", "//x/../y")), "//x/../y");
  EXPECT_EQ(path_of("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), "*");
  for (const char *target :
       {"*", "x", "ftp://h/", "http://u@h/", "http:///x", "/%", "/%4", "/%4g", "/%00", "/#x", "/\x80"})
    EXPECT_EQ(path_of(get("", target)), "400") << target;
  EXPECT_EQ(path_of("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"), "501");
}

TEST(RequestParser, RefusesRequestLinesThatAreNone) {
  auto line = [](const std::string &text) { return status_of(text + "\r\nHost: h\r\n\r\n"); };
  EXPECT_EQ(line("GET / HTTP/1.1"), 200);
  for (const char *text : {"GET /", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
                           "GET\t/ HTTP/1.1", "GET /a b HTTP/1.1", "G(T / HTTP/1.1", "GET / HTTP/1", "GET / HTTP/1.10",
                           "GET / http/1.1", "GET / RTSP/1.0", "SOURCE / ICE/1.0", "\x16\x03\x01"})
    EXPECT_EQ(line(text), 400) << text;
  for (const char *text : {"GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2", "PRI * HTTP/2.0"})
    EXPECT_EQ(line(text), 505) << text;
  for (const char *text : {"BREW / HTTP/1.1", "get / HTTP/1.1", "PLAY / HTTP/1.1", "GETS / HTTP/1.1"})
    EXPECT_EQ(line(text), 501) << text;
}

TEST(RequestParser, StaysWithinItsLimits) {
  std::string target = "/" + std::string(kMaxTargetBytes - 1, 'a');
  EXPECT_EQ(status_of(get("", target)), 200);
  EXPECT_EQ(status_of(get("", target + "a")), 414);
  EXPECT_EQ(status_of(std::string(kMaxTargetBytes + 1024, 'a')), 414);
  EXPECT_EQ(status_of(std::string(kMaxMethodBytes + 1, 'A') + " / HTTP/1.1\r\n\r\n"), 501);

  auto with_headers = [](size_t count) {
    std::string headers;
    for (size_t i = 1; i < count; i++) headers += "k: v\r\n";
    return get(headers);
  };
  EXPECT_EQ(status_of(with_headers(kMaxHeaders)), 200);
  EXPECT_EQ(status_of(with_headers(kMaxHeaders + 1)), 431);

  size_t rest = kMaxHeadBytes - get("k: \r\n").size();
  EXPECT_EQ(status_of(get("k: " + std::string(rest, 'v') + "\r\n")), 200);
  EXPECT_EQ(status_of(get("k: " + std::string(rest + 1, 'v') + "\r\n")), 431);
  EXPECT_EQ(status_of(get("k: " + std::string(rest + 100, 'v'))), 431);

  std::string lines;
  for (size_t i = 0; i < kMaxLeadingLines; i++) lines += "\r\n";
  EXPECT_EQ(status_of(lines + get("")), 200);
  EXPECT_EQ(status_of(lines + "\r\n" + get("")), 400);
}

TEST(RequestParser, BoundsTheBody) {
  EXPECT_EQ(status_of(post("Content-Length: 10\r\n", "0123456789"), 10), 200);
  EXPECT_EQ(status_of(post("Content-Length: 11\r\n", ""), 10), 413);
  EXPECT_EQ(status_of(post("Content-Length: 18446744073709551615\r\n", "")), 413);
  EXPECT_EQ(status_of(post("Content-Length: 18446744073709551616\r\n", "")), 400);
  const std::string kChunked = "Transfer-Encoding: chunked\r\n";
  EXPECT_EQ(status_of(post(kChunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), 10), 200);
  EXPECT_EQ(status_of(post(kChunked, "5\r\n01234\r\n6\r\n"), 10), 413);
  EXPECT_EQ(status_of(post(kChunked, "FFFFFFFFFFFFFFFF\r\n")), 413);
  EXPECT_EQ(status_of(post(kChunked, "1FFFFFFFFFFFFFFFF\r\n")), 400);
  EXPECT_EQ(status_of(post("Content-Length: 1\r\n", "x"), 0), 413);
  EXPECT_EQ(status_of(post("Content-Length: 0\r\n", ""), 0), 200);
}

TEST(RequestParser, BoundsTheFramingOfChunks) {
  std::string one_byte_chunks;
  for (int i = 0; i < 5000; i++) one_byte_chunks += "1\r\nx\r\n";
  EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", one_byte_chunks + "0\r\n\r\n"), 5000), 200);
  EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", std::string(20'000, '0')), 10), 400);
  EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", "1;" + std::string(20'000, 'e')), 10), 400);
  EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", "0\r\nt: " + std::string(20'000, 'e')), 10), 400);
}

TEST(RequestParser, RefusesAmbiguousLengths) {
  for (const char *headers : {
           "Content-Length: 3\r\nContent-Length: 3\r\n",
           "Content-Length: 3\r\nContent-Length: 4\r\n",
           "Content-Length: 3, 3\r\n",
           "Content-Length: +3\r\n",
           "Content-Length: -3\r\n",
           "Content-Length: 0x3\r\n",
           "Content-Length: 3 3\r\n",
           "Content-Length:\r\n",
           "Content-Length : 3\r\n",
           "Content-Length\t: 3\r\n",
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           "Transfer-Encoding: identity\r\nContent-Length: 3\r\n",
           "Transfer-Encoding : chunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding: \x0b"
           "chunked\r\n",
           " Content-Length: 3\r\n",
           "X: y\r\n Content-Length: 3\r\n",
           "X: y\r\n\tz\r\n",
           "X: y\rContent-Length: 3\r\n",
           "X: y\nContent-Length: 3\r\n",
           "X: y\r\r\n",
           "X: a\x7f\r\n",
           ": y\r\n",
           "X\r\n",
           "X y: z\r\n",
           "Host: i\r\n",
       })
    EXPECT_EQ(status_of(post(headers, "abc")), 400) << headers;
  EXPECT_EQ(status_of(post(std::string("X: a\0b\r\n", 8), "")), 400);
  for (const char *headers : {"Transfer-Encoding:\r\n", "Transfer-Encoding: gzip, chunked\r\n",
                              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"})
    EXPECT_THAT((std::array{400, 501}), testing::Contains(status_of(post(headers, "0\r\n\r\n")))) << headers;
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
}

TEST(RequestParser, WantsOneHost) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200);
}

TEST(RequestParser, RefusesChunksThatAreNone) {
  for (const char *body : {"5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n", "5\r\nhello\r\n0\n\n",
                           "x\r\n", "\r\n", "-1\r\n", "0x1\r\n", " 1\r\na\r\n", "5\rhello", "5;\rx\r\nhello\r\n"})
    EXPECT_EQ(status_of(post("Transfer-Encoding: chunked\r\n", body)), 400) << body;
}

TEST(RequestParser, StaysRefused) {
  RequestParser parser;
  auto first = parser.feed(as_bytes("\n"));
  ASSERT_TRUE(std::holds_alternative<Refusal>(first.outcome));
  auto second = parser.feed(as_bytes(get("")));
  EXPECT_EQ(second.consumed, 0U);
  ASSERT_TRUE(std::holds_alternative<Refusal>(second.outcome));
  EXPECT_FALSE(parser.between_requests());
}

} // namespace
} // namespace sluice::http
