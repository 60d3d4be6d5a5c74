#include "tests/unit/http_server/harness.h"

namespace sluice::http {
namespace {

constexpr std::string_view kGet = "GET /a%20b HTTP/1.1\r\nHost: h\r\n\r\n";

std::string get(const std::string &path, const std::string &headers = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
}

TEST_F(HttpServerTest, AnswersARequestAndKeepsTheConnection) {
  Client client(address_);
  for (size_t i = 1; i <= 3; i++) {
    ASSERT_TRUE(client.send(kGet));
    ASSERT_TRUE(run_until([&] { return client.count("answer to /a b") == i; }));
  }
  EXPECT_TRUE(client.has("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_TRUE(client.has("\r\nServer: sluice\r\n"));
  EXPECT_TRUE(client.has("\r\nContent-Length: 14\r\n"));
  EXPECT_FALSE(client.ended());
  EXPECT_EQ(access_log_, std::vector<std::string>(3, "127.0.0.1 GET /a b"));
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServerTest, TakesARequestInPieces) {
  Client client(address_);
  std::string text = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (char c : text) {
    ASSERT_TRUE(client.send({&c, 1}));
    run_for(2 * kMillisecond);
  }
  ASSERT_TRUE(run_until([&] { return client.has("answer to /x"); }));
  EXPECT_EQ(bodies_, std::vector<std::string>{"abc"});
}

TEST_F(HttpServerTest, ClosesWhenTheClientWantsIt) {
  for (const std::string &request : {get("/", "Connection: close\r\n"), std::string("GET / HTTP/1.0\r\n\r\n")}) {
    Client client(address_);
    ASSERT_TRUE(client.send(request));
    ASSERT_TRUE(run_until([&] { return client.ended(); }));
    EXPECT_TRUE(client.has("Connection: close\r\n"));
    EXPECT_TRUE(client.has("answer to /"));
    client.close();
    ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  }
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  Client client(address_);
  ASSERT_TRUE(client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get("/b")));
  ASSERT_TRUE(run_until([&] { return client.has("answer to /b"); }));
  EXPECT_FALSE(client.has("answer to /a"));
  EXPECT_EQ(client.count("Content-Length: 12\r\n"), 2U);
}

TEST_F(HttpServerTest, AnswersLaterFromAnotherCallback) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(get("/slow")));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  run_for(20 * kMillisecond);
  EXPECT_EQ(client.received(), "");
  EXPECT_TRUE(server_->respond(asked_[0], text("late")));
  EXPECT_FALSE(server_->respond(asked_[0], text("twice")));
  ASSERT_TRUE(run_until([&] { return client.has("late"); }));
  EXPECT_FALSE(client.has("twice"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrderOneAtATime) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(get("/1") + get("/2") + get("/3")));
  for (size_t i = 0; i < 3; i++) {
    ASSERT_TRUE(run_until([&] { return asked_.size() > i; }));
    run_for(5 * kMillisecond);
    EXPECT_EQ(asked_.size(), i + 1);
    EXPECT_TRUE(server_->respond(asked_[i], text("answer " + paths_[i])));
  }
  ASSERT_TRUE(run_until([&] { return client.has("answer /3"); }));
  EXPECT_LT(client.received().find("answer /1"), client.received().find("answer /2"));
  EXPECT_LT(client.received().find("answer /2"), client.received().find("answer /3"));
}

TEST_F(HttpServerTest, AnswersMorePipelinedRequestsThanItReadsAtOnce) {
  constexpr size_t kRequests = 2000; // about four times kMaxUnreadBytes, and no recursion
  Client client(address_);
  std::string text;
  for (size_t i = 0; i < kRequests; i++) text += get("/");
  ASSERT_TRUE(client.send(text));
  ASSERT_TRUE(run_until([&] { return client.count("answer to /") == kRequests; }));
}

TEST_F(HttpServerTest, HoldsNoMorePipelinedInputThanItsBound) {
  hold_ = true;
  Client client(address_);
  std::string text = get("/first");
  while (text.size() < 8 * 1024 * 1024) text += get("/");
  EXPECT_FALSE(client.send(text)); // the socket buffers are full long before
  run_for(50 * kMillisecond);
  EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(HttpServerTest, SendsLargeAnswersAsTheClientReads) {
  constexpr size_t kBytes = 20 * 1024 * 1024;
  body_.assign(kBytes, 'x');
  Client client(address_);
  ASSERT_TRUE(client.send(get("/") + get("/", "Connection: close\r\n")));
  run_for(20 * kMillisecond);
  EXPECT_EQ(asked_.size(), 1U); // the second one waits until the first answer is out
  ASSERT_TRUE(run_until([&] { return client.ended(); }, 20 * kSecond));
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.count("Content-Length: 20971520\r\n"), 2U);
  EXPECT_GT(client.received().size(), 2 * kBytes);
}

TEST_F(HttpServerTest, TellsAClientToGoOnWithItsBody) {
  Client client(address_);
  ASSERT_TRUE(client.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return client.has("\r\n\r\n"); }));
  EXPECT_EQ(client.received(), kContinue);
  ASSERT_TRUE(client.send("ab"));
  ASSERT_TRUE(run_until([&] { return client.has("answer to /x"); }));
}

TEST_F(HttpServerTest, DoesNotTellAClientThatGoesOnAnyway) {
  Client client(address_);
  ASSERT_TRUE(client.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"));
  ASSERT_TRUE(run_until([&] { return client.has("answer to /x"); }));
  EXPECT_FALSE(client.has("100 Continue"));
}

TEST_F(HttpServerTest, AnswersWhatIsNoRequestAndCloses) {
  Client client(address_);
  ASSERT_TRUE(client.send(get("/fine") + "rubbish\r\n\r\n" + get("/never")));
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.has("answer to /fine"));
  EXPECT_TRUE(client.has("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_EQ(client.count("Server: sluice\r\n"), 2U);
  EXPECT_EQ(client.count("Connection: close\r\n"), 1U);
  EXPECT_EQ(refused_, std::vector<uint16_t>{400});
  EXPECT_EQ(paths_, std::vector<std::string>{"/fine"});
}

TEST_F(HttpServerTest, LetsARefusalArriveAlthoughTheClientGoesOnSending) {
  Client client(address_);
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"));
  std::string piece(100'000, 'b');
  ASSERT_TRUE(run_until([&] { return client.send(piece), client.ended(); }));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.has("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, TakesBodiesUpToItsBound) {
  options_.max_body_bytes = 10;
  use(options_);
  Client fits(address_), too_large(address_);
  ASSERT_TRUE(fits.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"));
  ASSERT_TRUE(too_large.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return fits.has("answer to /x") && too_large.has(" 413 "); }));
}

TEST_F(HttpServerTest, SendsAnEmpty500ForAnAnswerThatCannotBeSent) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  EXPECT_TRUE(server_->respond(asked_[0], {.headers = {{"Location", "/\r\nX: y"}}, .body = "secret"}));
  ASSERT_TRUE(run_until([&] { return client.has("\r\n\r\n"); }));
  EXPECT_TRUE(client.has("HTTP/1.1 500 "));
  EXPECT_FALSE(client.has("X: y"));
  EXPECT_FALSE(client.has("secret"));
}

TEST_F(HttpServerTest, ClosesAfterAnAnswerThatSaysSo) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(get("/1") + get("/2")));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  EXPECT_TRUE(server_->respond(asked_[0], {.body = "bye", .close = true}));
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.has("Connection: close\r\n"));
  EXPECT_EQ(asked_.size(), 1U);
}

} // namespace
} // namespace sluice::http
