#include "common/http/http2.h"
#include "tests/unit/http/http2_client.h"

#include <algorithm>

namespace sluice::http {
namespace {

struct Memory final : BodyMemory {
  explicit Memory(size_t bytes) : text(bytes, 'm') {}
  bool intact() const override { return whole; }
  std::string text;
  bool whole = true;
};

// Both ends, and a clock that stands still.
class Http2Test : public testing::Test, Protocol::Listener {
protected:
  explicit Http2Test(uint32_t window = 65535) : client_(window) {}

  void on_request(uint64_t number, Request request) override {
    asked_.push_back(number);
    requests_.push_back(request);
    if (!hold_) {
      EXPECT_TRUE(server_.respond(number, {.headers = {{"X-Path", request.path}}, .body = body_}, now_));
    }
  }
  void on_refused(const Refusal &refusal) override { refused_.push_back(refusal.status); }
  void on_withdrawn(uint64_t number) override { withdrawn_.push_back(number); }

  // What is waiting goes to the server, in pieces.
  void send(size_t piece = SIZE_MAX) {
    std::string text = client_.output();
    for (Bytes rest = as_bytes(text); !rest.empty() && server_.end() == Protocol::End::No;) {
      size_t count = std::min(piece, rest.size());
      server_.feed(rest.first(count), now_);
      rest = rest.subspan(count);
    }
  }
  // What the server has to say goes to the client.
  bool receive(size_t most = SIZE_MAX) {
    server_.fill();
    Bytes part;
    if (server_.output().gather({&part, 1}, most) == 0) return false;
    client_.feed(part);
    auto torn = server_.output().consume(part.size());
    if (torn) server_.on_torn(*torn, now_);
    server_.on_sent(now_);
    return true;
  }
  void exchange(size_t piece = SIZE_MAX) {
    for (bool more = true; more;) {
      send(piece);
      more = receive(piece);
      while (more && receive(piece)) {
      }
    }
  }
  void tick(Nanoseconds later) {
    now_.monotonic += later;
    server_.on_tick(now_);
  }

  ProtocolOptions options_{.max_body_bytes = 100'000};
  Now now_{.monotonic = kSecond, .wall = 784111777 * kSecond};
  Http2Client client_;
  Http2 server_{static_cast<Protocol::Listener &>(*this), options_, now_};
  bool hold_ = false;
  Body body_ = "hello";
  std::vector<uint64_t> asked_, withdrawn_;
  std::vector<Request> requests_;
  std::vector<uint16_t> refused_;
};

TEST_F(Http2Test, AnswersRequests) {
  int32_t id = client_.request(
      {{":method", "GET"}, {":scheme", "https"}, {":authority", "h:1"}, {":path", "/a%20b?c=d"}, {"cookie", "x"}});
  exchange();
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].method, "GET");
  EXPECT_EQ(requests_[0].path, "/a b");
  EXPECT_EQ(requests_[0].query, "c=d");
  EXPECT_EQ(requests_[0].major_version, 2);
  EXPECT_EQ(*requests_[0].headers.find("Host"), "h:1");
  EXPECT_EQ(*requests_[0].headers.find("Cookie"), "x");
  auto &answer = client_[id];
  EXPECT_TRUE(answer.complete && answer.closed);
  EXPECT_EQ(answer.status(), "200");
  EXPECT_EQ(answer.header("x-path"), "/a b");
  EXPECT_EQ(answer.header("content-length"), "5");
  EXPECT_EQ(answer.header("server"), "sluice");
  EXPECT_EQ(answer.header("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(answer.body, "hello");
  EXPECT_TRUE(server_.idle());
  EXPECT_EQ(server_.end(), Protocol::End::No);
}

TEST_F(Http2Test, TakesTheSameByteByByte) {
  body_ = Body::shared(std::string(200'000, 'b'));
  int32_t post = client_.request({{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/p"}},
                                 std::string(70'000, 'u'));
  int32_t get = client_.get("/g");
  exchange(1);
  ASSERT_EQ(requests_.size(), 2U);
  for (const Request &request : requests_) EXPECT_EQ(request.body.size(), request.path == "/p" ? 70'000U : 0U);
  for (int32_t id : {post, get}) {
    EXPECT_TRUE(client_[id].complete);
    EXPECT_EQ(client_[id].body, std::string(200'000, 'b'));
  }
  EXPECT_EQ(body_.memory().use_count(), 1);
}

TEST_F(Http2Test, AnswersHeadAndWhatHasNoContent) {
  int32_t head = client_.get("/", "HEAD");
  exchange();
  EXPECT_TRUE(client_[head].complete);
  EXPECT_EQ(client_[head].header("content-length"), "5");
  EXPECT_EQ(client_[head].body, "");
  hold_ = true;
  int32_t none = client_.get("/");
  exchange();
  ASSERT_TRUE(server_.respond(asked_.back(), {.status = 304, .body = "x"}, now_));
  exchange();
  EXPECT_TRUE(client_[none].complete);
  EXPECT_EQ(client_[none].status(), "304");
  EXPECT_EQ(client_[none].header("content-length"), "");
}

TEST_F(Http2Test, AnswersInAnyOrder) {
  hold_ = true;
  int32_t first = client_.get("/1"), second = client_.get("/2");
  exchange();
  ASSERT_EQ(asked_.size(), 2U);
  EXPECT_EQ(server_.waiting().size(), 2U);
  EXPECT_TRUE(server_.respond(asked_[1], {.body = "two"}, now_));
  exchange();
  EXPECT_TRUE(client_[second].complete);
  EXPECT_FALSE(client_[first].complete);
  EXPECT_FALSE(server_.respond(asked_[1], {.body = "again"}, now_));
  EXPECT_FALSE(server_.respond(99, {.body = "nobody"}, now_));
  EXPECT_TRUE(server_.respond(asked_[0], {.body = "one"}, now_));
  exchange();
  EXPECT_EQ(client_[first].body + client_[second].body, "onetwo");
}

TEST_F(Http2Test, TellsWhenARequestIsTakenBack) {
  hold_ = true;
  int32_t id = client_.get("/");
  exchange();
  nghttp2_submit_rst_stream(client_.raw(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  exchange();
  EXPECT_EQ(withdrawn_, asked_);
  EXPECT_FALSE(server_.respond(asked_[0], {.body = "late"}, now_));
  EXPECT_TRUE(server_.idle());
}

TEST_F(Http2Test, LeavesOutWhatIsAboutConnections) {
  hold_ = true;
  int32_t id = client_.get("/");
  exchange();
  server_.respond(
      asked_[0],
      {.headers = {{"Connection", "close"}, {"Transfer-Encoding", "chunked"}, {"Keep-Alive", "1"}, {"A", "b"}},
       .body = "x"},
      now_);
  exchange();
  EXPECT_EQ(client_[id].headers.all().size(), 5U); // status, date, server, a, length
  EXPECT_EQ(client_[id].header("a"), "b");
}

TEST_F(Http2Test, SendsAnEmpty500ForAnAnswerThatCannotBeSent) {
  hold_ = true;
  int32_t id = client_.get("/");
  exchange();
  server_.respond(asked_[0], {.headers = {{"Location", "/\r\nX: y"}}, .body = "secret"}, now_);
  exchange();
  EXPECT_EQ(client_[id].status(), "500");
  EXPECT_EQ(client_[id].body, "");
}

// --- what is refused ---

TEST_F(Http2Test, RefusesWhatIsTooLarge) {
  Headers large{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/"}};
  int32_t body = client_.request(large, std::string(100'001, 'u'));
  exchange();
  EXPECT_EQ(client_[body].status(), "413");
  EXPECT_TRUE(client_[body].closed);
  for (int i = 0; i < 5; i++) large.add("x" + std::to_string(i), std::string(4000, 'x'));
  int32_t head = client_.request(large);
  exchange();
  EXPECT_EQ(client_[head].status(), "431");
  Headers many{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/"}};
  for (size_t i = 0; i < kMaxHeaders; i++) many.add("x", "y");
  int32_t fields = client_.request(many);
  exchange();
  EXPECT_EQ(client_[fields].status(), "431");
  EXPECT_EQ(refused_, (std::vector<uint16_t>{413, 431, 431}));
  EXPECT_TRUE(asked_.empty());
  int32_t fine = client_.get("/");
  exchange();
  EXPECT_EQ(client_[fine].status(), "200");
}

TEST_F(Http2Test, RefusesWhatIsNoRequest) {
  int32_t target = client_.get("nonsense"), method = client_.get("/", std::string(100, 'M'));
  exchange();
  EXPECT_EQ(client_[target].error, uint32_t{NGHTTP2_PROTOCOL_ERROR}); // nghttp2 itself looks at paths
  EXPECT_EQ(client_[method].status(), "501");
  int32_t escape = client_.get("/%zz");
  exchange();
  EXPECT_EQ(client_[escape].status(), "400");
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Http2Test, EndsOnAnotherProtocol) {
  server_.feed(as_bytes("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), now_);
  EXPECT_EQ(server_.end(), Protocol::End::AtOnce);
}

TEST_F(Http2Test, TellsAClientToGoOnWithItsBody) {
  int32_t id = client_.request(
      {{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/"}, {"expect", "100-continue"}},
      "body");
  exchange();
  EXPECT_EQ(client_[id].headers.all()[0].value, "100");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0].body, "body");
  EXPECT_TRUE(client_[id].complete);
}

// --- floods ---

TEST_F(Http2Test, LetsNoMoreStreamsInThanItsBound) {
  hold_ = true;
  exchange();
  EXPECT_EQ(nghttp2_session_get_remote_settings(client_.raw(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS),
            Http2::kMaxStreams);
  for (uint32_t i = 0; i < 3 * Http2::kMaxStreams; i++) client_.get("/");
  exchange();
  EXPECT_EQ(asked_.size(), Http2::kMaxStreams);
  for (size_t i = 0; i < 2 * Http2::kMaxStreams; i++) {
    ASSERT_TRUE(server_.respond(asked_[i], {.body = "x"}, now_));
    exchange();
  }
  EXPECT_EQ(asked_.size(), 3 * Http2::kMaxStreams);
}

TEST_F(Http2Test, SendsAwayWhoResetsTooMuch) {
  hold_ = true;
  exchange();
  size_t resets = 0;
  for (; resets < 2000 && server_.end() == Protocol::End::No && !client_.sent_away(); resets++) {
    int32_t id = client_.get("/");
    send();
    nghttp2_submit_rst_stream(client_.raw(), NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    exchange();
  }
  EXPECT_GT(resets, 100U);
  EXPECT_LT(resets, 500U);
  EXPECT_TRUE(client_.sent_away());
  EXPECT_NE(server_.end(), Protocol::End::No);
  EXPECT_EQ(withdrawn_.size(), asked_.size());
}

TEST_F(Http2Test, HoldsABoundedNumberOfAnswersToAFlood) {
  exchange();
  size_t most = 0;
  for (size_t i = 0; i < 100'000 && server_.end() == Protocol::End::No && server_.takes_input(); i++) {
    nghttp2_submit_ping(client_.raw(), NGHTTP2_FLAG_NONE, nullptr);
    send();
    if (i % 100 == 99) server_.fill(); // but nothing leaves
    most = std::max(most, server_.output().size());
  }
  EXPECT_TRUE(server_.end() != Protocol::End::No || !server_.takes_input());
  EXPECT_LE(most, Http2::kMaxQueuedBytes + 20'000);
}

TEST_F(Http2Test, EndsWithAHeadThatDoesNotEnd) {
  exchange();
  auto frame = [](char type, char flags, const std::string &block) {
    std::string text{'\0', static_cast<char>(block.size() >> 8), static_cast<char>(block.size()), type, flags, 0, 0, 0,
                     1};
    return text + block;
  };
  std::string field = std::string("\x00\x01x\x7e", 4) + std::string(126, 'v'); // not indexed
  server_.feed(as_bytes(frame(1, 0, "\x82")), now_);
  size_t frames = 0;
  for (; frames < 100'000 && server_.end() == Protocol::End::No; frames++)
    server_.feed(as_bytes(frame(9, 0, field)), now_);
  EXPECT_EQ(server_.end(), Protocol::End::AtOnce);
  EXPECT_LT(frames, 2000U);
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Http2Test, SendsAwayWhoSendsSettingsThatDoNotEnd) {
  exchange();
  std::string frame{"\x00\x01\x80\x04\x00\x00\x00\x00\x00", 9}; // 64 settings
  for (int i = 0; i < 64; i++) frame += std::string("\x00\x04\x00\x00\xff\xff", 6);
  server_.feed(as_bytes(frame), now_);
  exchange();
  EXPECT_NE(server_.end(), Protocol::End::No);
}

// --- time ---

TEST_F(Http2Test, Answers408And504) {
  hold_ = true;
  Headers post{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/"}};
  int32_t slow = client_.request(post, "part", true);
  int32_t waiting = client_.get("/"), patient = client_.get("/");
  exchange();
  ASSERT_EQ(asked_.size(), 2U);
  server_.set_answer_timeout(asked_[1], 0, now_);
  tick(options_.read_timeout);
  exchange();
  EXPECT_EQ(client_[slow].status(), "408");
  EXPECT_TRUE(client_[slow].closed);
  EXPECT_FALSE(client_[waiting].closed);
  tick(options_.answer_timeout);
  exchange();
  EXPECT_EQ(client_[waiting].status(), "504");
  EXPECT_FALSE(client_[patient].closed);
  EXPECT_FALSE(server_.respond(asked_[0], {.body = "late"}, now_));
  EXPECT_TRUE(server_.respond(asked_[1], {.body = "x"}, now_));
}

TEST_F(Http2Test, EndsWithAClientThatNeverCompletesAHead) {
  exchange();
  // HEADERS of stream 1 without END_HEADERS, and nothing behind it.
  server_.feed(as_bytes(std::string("\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82", 10)), now_);
  tick(options_.read_timeout);
  EXPECT_EQ(server_.end(), Protocol::End::AtOnce);
}

TEST_F(Http2Test, SaysGoodbyeToTheIdle) {
  client_.get("/");
  exchange();
  tick(options_.idle_timeout - kSecond);
  EXPECT_EQ(server_.end(), Protocol::End::No);
  tick(kSecond);
  EXPECT_EQ(server_.end(), Protocol::End::WhenSent);
  exchange();
  EXPECT_TRUE(client_.sent_away());
  EXPECT_EQ(client_.goaway_error(), uint32_t{NGHTTP2_NO_ERROR});
}

TEST_F(Http2Test, EndsWithAClientThatTakesNothing) {
  body_ = Body::shared(std::string(50'000, 'b'));
  client_.get("/");
  exchange();
  tick(options_.idle_timeout / 2); // not counted
  client_.get("/");
  send();
  server_.fill();
  tick(options_.write_timeout / 2);
  EXPECT_EQ(server_.end(), Protocol::End::No);
  tick(options_.write_timeout / 2);
  EXPECT_EQ(server_.end(), Protocol::End::AtOnce);
}

struct Http2SmallWindowTest : Http2Test {
  Http2SmallWindowTest() : Http2Test(1000) {}
};

TEST_F(Http2SmallWindowTest, ResetsAStreamWhoseClientWantsNoMoreOfIt) {
  body_ = Body::shared(std::string(50'000, 'b'));
  int32_t id = client_.get("/");
  exchange();
  EXPECT_EQ(client_[id].body.size(), 1000U);
  tick(options_.write_timeout);
  exchange();
  EXPECT_EQ(client_[id].error, uint32_t{NGHTTP2_CANCEL});
  EXPECT_EQ(body_.memory().use_count(), 1);
  EXPECT_EQ(server_.end(), Protocol::End::No);
}

// --- shared memory that changes ---

TEST_F(Http2Test, ResetsAStreamWhoseMemoryChanges) {
  auto memory = std::make_shared<Memory>(1'000'000);
  body_ = {memory, as_bytes(memory->text)};
  int32_t id = client_.get("/");
  send();
  ASSERT_TRUE(receive(5000));
  memory->whole = false;
  exchange(5000);
  EXPECT_FALSE(client_[id].complete);
  EXPECT_EQ(client_[id].error, uint32_t{NGHTTP2_INTERNAL_ERROR});
  EXPECT_EQ(server_.end(), Protocol::End::No);
}

TEST_F(Http2Test, EndsWhenTheLastOfAStreamIsTorn) {
  auto memory = std::make_shared<Memory>(10'000);
  body_ = {memory, as_bytes(memory->text)};
  client_.get("/");
  send();
  server_.fill(); // whole
  memory->whole = false;
  while (server_.end() == Protocol::End::No && receive(4000)) {
  }
  EXPECT_EQ(server_.end(), Protocol::End::AtOnce);
}

// --- the end ---

TEST_F(Http2Test, FinishesWhatIsUnderWay) {
  hold_ = true;
  int32_t id = client_.get("/");
  exchange();
  server_.finish(now_);
  exchange();
  EXPECT_TRUE(client_.sent_away());
  EXPECT_EQ(server_.end(), Protocol::End::No);
  ASSERT_TRUE(server_.respond(asked_[0], {.body = "bye"}, now_));
  exchange();
  EXPECT_EQ(client_[id].body, "bye");
  EXPECT_EQ(server_.end(), Protocol::End::WhenSent);
}

TEST_F(Http2Test, TurnsAwayWithoutARequest) {
  server_.turn_away({503, "too many"}, now_);
  exchange();
  EXPECT_TRUE(client_.sent_away());
  EXPECT_EQ(server_.end(), Protocol::End::WhenSent);
  EXPECT_EQ(refused_, std::vector<uint16_t>{503});
}

} // namespace
} // namespace sluice::http
