#include "tests/unit/http_server/tls_client.h"

namespace sluice::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kHttp1 = "\x08http/1.1";

TEST_F(HttpsServerTest, AnswersOverTls) {
  TlsClient client(tls_address_, identity_, kHttp1);
  for (size_t i = 1; i <= 3; i++) {
    client.forget_received();
    client.send(kGet);
    ASSERT_TRUE(run_until([&] { return client.has("answer to /"); }));
  }
  EXPECT_EQ(client.protocol(), "http/1.1");
  EXPECT_FALSE(client.ended());
}

TEST_F(HttpsServerTest, TakesAClientThatAgreesUponNothingForHttp1) {
  TlsClient client(tls_address_, identity_, "");
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.has("answer to /"));
}

TEST_F(HttpsServerTest, SendsLargeAnswersOverTls) {
  hold_ = true;
  TlsClient client(tls_address_, identity_, kHttp1);
  client.send(kGet);
  ASSERT_TRUE(run_until([&] { return client.received(), asked_.size() == 1; }));
  Body body = Body::shared(std::string(5 * 1024 * 1024, 'x'));
  ASSERT_TRUE(server_->respond(asked_[0], {.body = body, .close = true}));
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.received().ends_with("\r\n\r\n" + std::string(as_text(body.bytes()))));
  EXPECT_EQ(body.memory().use_count(), 1);
}

TEST_F(HttpsServerTest, TakesMoreRequestsThanItReadsAtOnce) {
  constexpr size_t kRequests = 2000;
  TlsClient client(tls_address_, identity_, kHttp1);
  std::string text;
  for (size_t i = 0; i < kRequests; i++) text += kGet;
  client.send(text);
  ASSERT_TRUE(run_until([&] { return client.received(), asked_.size() == kRequests; }));
  ASSERT_TRUE(run_until([&] { return client.received().ends_with("answer to /"); }));
}

TEST_F(HttpsServerTest, TurnsAwayOverTls) {
  options_.max_connections = 1;
  use(options_);
  TlsClient first(tls_address_, identity_, kHttp1);
  first.send(kGet);
  ASSERT_TRUE(run_until([&] { return first.has("answer to /"); }));
  TlsClient second(tls_address_, identity_, kHttp1), third(tls_address_, identity_, "\x02h2");
  second.send(kGet);
  ASSERT_TRUE(run_until([&] { return second.ended() && third.ended(); }));
  EXPECT_TRUE(second.has("HTTP/1.1 503 "));
  EXPECT_FALSE(third.has("HTTP/1.1"));
  EXPECT_EQ(refused_, (std::vector<uint16_t>{503, 503}));
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(HttpsServerTest, EndsWhoDoesNotShakeHands) {
  options_.read_timeout = 80 * kMillisecond;
  use(options_);
  Client silent(tls_address_), wrong(tls_address_);
  ASSERT_TRUE(wrong.send(kGet));
  ASSERT_TRUE(run_until([&] { return silent.ended() && wrong.ended(); }));
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(HttpsServerTest, TellsThatAWaitingClientIsGone) {
  hold_ = true;
  TlsClient client(tls_address_, identity_, kHttp1);
  client.send(kGet);
  ASSERT_TRUE(run_until([&] { return client.received(), asked_.size() == 1; }));
  forget_half_closed_ = true;
  client.close();
  ASSERT_TRUE(run_until([&] { return gone_ == asked_; }));
}

} // namespace
} // namespace sluice::http
