#include "tests/unit/http_server/harness.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <thread>

namespace sluice::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

// --- clients that go ---

TEST_F(HttpServerTest, IgnoresAnswersForConnectionsThatAreGone) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  client.reset();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_FALSE(server_->respond(asked_[0], text("too late")));
  EXPECT_FALSE(server_->respond({}, text("nobody")));
}

TEST_F(HttpServerTest, NeverGivesAnAnswerToAnotherRequest) {
  hold_ = true;
  Client first(address_);
  ASSERT_TRUE(first.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  first.reset();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  Client second(address_); // likely with the same descriptor
  ASSERT_TRUE(second.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 2; }));
  EXPECT_FALSE(server_->respond(asked_[0], text("for the first")));
  EXPECT_FALSE(server_->respond({asked_[1].connection, asked_[1].number + 1}, text("for the next")));
  EXPECT_TRUE(server_->respond(asked_[1], text("for the second")));
  ASSERT_TRUE(run_until([&] { return second.has("for the second"); }));
  EXPECT_FALSE(second.has("for the first"));
}

TEST_F(HttpServerTest, AnswersAClientThatSaidAllItHadToSay) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"));
  client.half_close();
  for (size_t i = 0; i < 2; i++) {
    ASSERT_TRUE(run_until([&] { return asked_.size() == i + 1; }));
    run_for(5 * kMillisecond);
    EXPECT_TRUE(server_->respond(asked_[i], text("answer to " + paths_[i])));
  }
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.has("answer to /1"));
  EXPECT_TRUE(client.has("answer to /2"));
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpServerTest, ForgetsAClientThatLeavesWithinARequest) {
  Client client(address_);
  ASSERT_TRUE(client.send("GET / HT"));
  run_for(10 * kMillisecond);
  EXPECT_EQ(server_->connections(), 1U);
  client.close();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(HttpServerTest, SurvivesAClientThatGoesWhileItsAnswerIsSent) {
  body_.assign(20 * 1024 * 1024, 'x');
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return client.has("200 OK"); }));
  client.reset();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
}

// --- time ---

TEST_F(HttpServerTest, ClosesIdleConnections) {
  options_.idle_timeout = 80 * kMillisecond;
  use(options_);
  Client silent(address_), busy(address_);
  ASSERT_TRUE(run_until([&] { return busy.send(kGet), silent.ended(); }));
  EXPECT_EQ(silent.received(), "");
  EXPECT_FALSE(busy.ended());
  ASSERT_TRUE(run_until([&] { return busy.ended(); }));
  EXPECT_FALSE(busy.was_reset());
  EXPECT_TRUE(busy.has("answer to /"));
}

TEST_F(HttpServerTest, ReadsWhatCameWhileItStoodStillBeforeTimeIsUp) {
  options_.read_timeout = options_.idle_timeout = 80 * kMillisecond;
  use(options_);
  Client idle(address_), reading(address_);
  ASSERT_TRUE(reading.send(kGet.substr(0, 5)));
  ASSERT_TRUE(run_until([&] { return server_->connections() == 2; }));
  run_for(5 * kMillisecond);
  ASSERT_TRUE(idle.send(kGet) && reading.send(kGet.substr(5)));
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  ASSERT_TRUE(run_until([&] { return idle.ended() && reading.ended(); }));
  EXPECT_TRUE(idle.has("answer to /"));
  EXPECT_TRUE(reading.has("answer to /"));
}

TEST_F(HttpServerTest, Answers408WhenARequestTakesTooLong) {
  options_.read_timeout = 80 * kMillisecond;
  use(options_);
  Client in_head(address_), in_body(address_), untouched(address_);
  ASSERT_TRUE(in_body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { // each byte comes in time, the request does not
    return in_head.send("a"), in_body.send("a"), in_head.ended() && in_body.ended();
  }));
  EXPECT_TRUE(in_head.has("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_TRUE(in_body.has("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_FALSE(untouched.ended());
  EXPECT_EQ(refused_, (std::vector<uint16_t>{408, 408}));
}

TEST_F(HttpServerTest, Answers504WhenNobodyElseDoes) {
  hold_ = true;
  options_.answer_timeout = 80 * kMillisecond;
  use(options_);
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.has("HTTP/1.1 504 "));
  EXPECT_FALSE(server_->respond(asked_[0], text("late")));
}

TEST_F(HttpServerTest, ClosesOnAClientThatDoesNotRead) {
  options_.write_timeout = 100 * kMillisecond;
  use(options_);
  body_.assign(20 * 1024 * 1024, 'x');
  Client client(address_, 4096);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return server_->connections() == 1; }));
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, IsPatientWithAClientThatReadsSlowly) {
  options_.write_timeout = 150 * kMillisecond;
  use(options_);
  body_.assign(8 * 1024 * 1024, 'x');
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  std::string received(256 * 1024, '\0');
  size_t total = 0;
  while (total < body_.size()) {
    run_for(20 * kMillisecond);
    ssize_t count = ::recv(client.fd(), received.data(), received.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) break;
    total += count > 0 ? static_cast<size_t>(count) : 0;
  }
  EXPECT_GT(total, body_.size());
}

TEST_F(HttpServerTest, DoesNotLingerForever) {
  Client client(address_);
  ASSERT_TRUE(client.send("GET / HTTP/1.0\r\n\r\n"));
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; })); // although the client did not close
}

// --- bounds and listeners ---

TEST_F(HttpServerTest, TurnsAwayWhatIsTooMuch) {
  options_.max_connections = 2;
  use(options_);
  Client first(address_), second(address_);
  ASSERT_TRUE(run_until([&] { return server_->connections() == 2; }));
  Client third(address_);
  ASSERT_TRUE(third.send(kGet));
  ASSERT_TRUE(run_until([&] { return third.ended(); }));
  EXPECT_FALSE(third.was_reset());
  EXPECT_TRUE(third.has("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_EQ(refused_, std::vector<uint16_t>{503});
  EXPECT_TRUE(asked_.empty());

  first.close();
  ASSERT_TRUE(run_until([&] { return server_->connections() <= 1; }));
  Client fourth(address_);
  ASSERT_TRUE(fourth.send(kGet));
  ASSERT_TRUE(run_until([&] { return fourth.has("answer to /"); }));
}

TEST_F(HttpServerTest, HoldsABoundedNumberOfThoseTurnedAway) {
  options_.max_connections = 1;
  use(options_);
  std::list<Client> clients;
  for (size_t i = 0; i < 3 * HttpServer::kMaxTurnedAway; i++) clients.emplace_back(address_);
  size_t most = 0;
  ASSERT_TRUE(run_until([&] {
    most = std::max(most, server_->connections());
    return std::all_of(std::next(clients.begin()), clients.end(), [](Client &client) { return client.ended(); });
  }));
  EXPECT_LE(most, 1 + HttpServer::kMaxTurnedAway);
  EXPECT_FALSE(clients.front().ended());
}

TEST_F(HttpServerTest, ReplacesItsListenerWithoutTouchingConnections) {
  Client open(address_);
  ASSERT_TRUE(open.send(kGet));
  ASSERT_TRUE(run_until([&] { return open.count("answer") == 1; }));
  Client waiting(address_); // in the old one's queue
  ASSERT_TRUE(waiting.send(kGet));

  Fd fd = listen_on_loopback();
  auto other = *loop::SocketAddress::local_of(fd.get());
  server_->set_listener(std::move(fd));
  Client fresh(other);
  ASSERT_TRUE(fresh.send(kGet) && open.send(kGet));
  ASSERT_TRUE(run_until([&] { return open.count("answer") == 2 && waiting.has("answer") && fresh.has("answer"); }));

  Fd refused(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(::connect(refused.get(), address_.raw(), address_.length()), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_F(HttpServerTest, TriesAgainWhenItCannotAccept) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the undefined behaviour sanitizer needs descriptors of its own";
#endif
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  Fd lowest(::dup(client.fd()));
  rlimit before{}, none{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  none = {static_cast<rlim_t>(lowest.get()), before.rlim_max};
  lowest.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  run_for(50 * kMillisecond);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_GE(accept_failures_, 1);
  EXPECT_LE(accept_failures_, 5); // no spinning
  ASSERT_TRUE(run_until([&] { return client.has("answer to /"); }));
}

// --- closing ---

TEST_F(HttpServerTest, FinishesWhatIsUnderWayWhenClosed) {
  hold_ = true;
  Client idle(address_), asking(address_), sending(address_);
  ASSERT_TRUE(asking.send(std::string(kGet) + "GET /never HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(sending.send(kGet.substr(0, 10)));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1 && server_->connections() == 3; }));
  run_for(5 * kMillisecond);
  server_->close();
  ASSERT_TRUE(run_until([&] { return idle.ended(); }));
  ASSERT_TRUE(sending.send(kGet.substr(10)));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 2; }));
  EXPECT_EQ(closed_, 0);
  for (const RequestKey &key : asked_) EXPECT_TRUE(server_->respond(key, text("bye")));
  ASSERT_TRUE(run_until([&] { return asking.ended() && sending.ended(); }));
  EXPECT_FALSE(asking.was_reset() || sending.was_reset());
  EXPECT_TRUE(asking.has("Connection: close\r\n") && asking.has("bye"));
  EXPECT_TRUE(sending.has("Connection: close\r\n") && sending.has("bye"));
  asking.close();
  sending.close();
  ASSERT_TRUE(run_until([&] { return closed_ == 1; }));
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(asked_.size(), 2U);
  run_for(10 * kMillisecond);
  EXPECT_EQ(closed_, 1);
}

TEST_F(HttpServerTest, SaysThatItIsClosedAlsoWithoutConnections) {
  server_->close();
  EXPECT_EQ(closed_, 0);
  ASSERT_TRUE(run_until([&] { return closed_ == 1; }));
}

TEST_F(HttpServerTest, DeliversALargeAnswerAfterItWasClosed) {
  body_.assign(20 * 1024 * 1024, 'x');
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return client.has("200 OK"); }));
  server_->close();
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_FALSE(client.was_reset());
  EXPECT_GT(client.received().size(), body_.size());
}

TEST_F(HttpServerTest, MayEndWithConnectionsInEveryState) {
  hold_ = true;
  Client idle(address_), asking(address_), sending(address_), leaving(address_);
  ASSERT_TRUE(asking.send(kGet) && sending.send("GET") && leaving.send("rubbish\n"));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1 && server_->connections() == 4; }));
  server_.reset();
  ASSERT_TRUE(run_until([&] { return idle.ended() && asking.ended() && sending.ended() && leaving.ended(); }));
}

} // namespace
} // namespace sluice::http
