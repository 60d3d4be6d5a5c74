#include "tests/unit/http/http2_client.h"
#include "tests/unit/http_server/tls_client.h"

namespace sluice::http {
namespace {

// Takes what came, and sends what is to be said.
template <class Socket> void turn(Http2Client &http, Socket &socket, size_t &taken) {
  socket.send(http.output());
  Bytes received = as_bytes(socket.received());
  http.feed(received.subspan(taken));
  taken = received.size();
  socket.send(http.output());
}

TEST_F(HttpsServerTest, SpeaksHttp2WithWhoAgreesUponIt) {
  TlsClient socket(tls_address_, identity_, "\x02h2\x08http/1.1");
  Http2Client http;
  size_t taken = 0;
  body_.assign(300'000, 'b');
  int32_t first = http.get("/1"), second = http.get("/2");
  ASSERT_TRUE(run_until([&] { return turn(http, socket, taken), http[first].closed && http[second].closed; }));
  EXPECT_EQ(socket.protocol(), "h2");
  EXPECT_EQ(http[first].body, body_);
  EXPECT_EQ(http[second].body, body_);
  EXPECT_EQ(access_log_, (std::vector<std::string>{"127.0.0.1 GET /1", "127.0.0.1 GET /2"}));
}

TEST_F(HttpServerTest, SpeaksHttp2WithWhoKnowsIt) {
  Client socket(address_);
  Http2Client http;
  size_t taken = 0;
  int32_t id = http.get("/1");
  std::string text = http.output();
  for (char c : text) { // also the preface
    ASSERT_TRUE(socket.send({&c, 1}));
    run_for(kMillisecond / 10);
  }
  ASSERT_TRUE(run_until([&] { return turn(http, socket, taken), http[id].closed; }));
  EXPECT_EQ(http[id].body, "answer to /1");
}

TEST_F(HttpServerTest, TakesABeginLikeThePrefaceForHttp1) {
  Client almost(address_), other(address_);
  ASSERT_TRUE(almost.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"));
  ASSERT_TRUE(other.send("P"));
  run_for(5 * kMillisecond);
  ASSERT_TRUE(other.send("OST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return almost.ended() && other.has("answer to /"); }));
  EXPECT_TRUE(almost.has("HTTP/1.1 505 "));
}

TEST_F(HttpServerTest, TellsThatAStreamIsTakenBack) {
  hold_ = true;
  Client socket(address_);
  Http2Client http;
  size_t taken = 0;
  int32_t id = http.get("/1");
  http.get("/2");
  ASSERT_TRUE(run_until([&] { return turn(http, socket, taken), asked_.size() == 2; }));
  nghttp2_submit_rst_stream(http.raw(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  ASSERT_TRUE(run_until([&] { return turn(http, socket, taken), gone_.size() == 1; }));
  EXPECT_EQ(gone_[0], asked_[0]);
  socket.close();
  ASSERT_TRUE(run_until([&] { return gone_.size() == 2; }));
  EXPECT_EQ(gone_[1], asked_[1]);
}

TEST_F(HttpServerTest, AnswersManyStreamsLater) {
  hold_ = true;
  Client socket(address_);
  Http2Client http;
  size_t taken = 0;
  std::vector<int32_t> ids;
  for (int i = 0; i < 50; i++) ids.push_back(http.get("/"));
  ASSERT_TRUE(run_until([&] { return turn(http, socket, taken), asked_.size() == ids.size(); }));
  Body body = Body::shared(std::string(5000, 'p'));
  for (const RequestKey &key : asked_) EXPECT_TRUE(server_->respond(key, {.body = body}));
  ASSERT_TRUE(run_until([&] {
    turn(http, socket, taken);
    return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return http[id].complete; });
  }));
  for (int32_t id : ids) EXPECT_EQ(http[id].body.size(), 5000U);
}

} // namespace
} // namespace sluice::http
