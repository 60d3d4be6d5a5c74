#include "tests/unit/http_server/harness.h"

#include <atomic>
#include <list>

namespace sluice::http {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

struct Memory final : BodyMemory {
  explicit Memory(size_t bytes) : text(bytes, 'm') {}
  bool intact() const override { return reads++, whole; }
  Body body() const { return {self.lock(), as_bytes(text)}; }
  static std::shared_ptr<Memory> make(size_t bytes) {
    auto made = std::make_shared<Memory>(bytes);
    made->self = made;
    return made;
  }
  std::string text;
  bool whole = true;
  mutable size_t reads = 0;
  std::weak_ptr<const Memory> self;
};

// --- bodies in shared memory ---

TEST_F(HttpServerTest, SendsSharedMemoryAndLetsItGo) {
  hold_ = true;
  auto memory = Memory::make(20 * 1024 * 1024);
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  ASSERT_TRUE(server_->respond(asked_[0], {.body = memory->body()}));
  EXPECT_EQ(memory.use_count(), 2);
  ASSERT_TRUE(run_until([&] { return client.received().size() > memory->text.size() && memory.use_count() == 1; }));
  EXPECT_TRUE(client.has("Content-Length: 20971520\r\n"));
  EXPECT_TRUE(client.received().ends_with(memory->text));
  EXPECT_FALSE(client.ended());
}

TEST_F(HttpServerTest, BreaksOffWhenSharedMemoryChanges) {
  hold_ = true;
  auto memory = Memory::make(20 * 1024 * 1024);
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  ASSERT_TRUE(server_->respond(asked_[0], {.body = memory->body()}));
  EXPECT_GT(memory->reads, 0U);
  memory->whole = false;
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_TRUE(client.was_reset());
  EXPECT_LT(client.received().size(), memory->text.size());
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_EQ(memory.use_count(), 1);
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].reason, "what was sent has changed meanwhile");
}

TEST_F(HttpServerTest, SendsNoSmallBodyThatIsTorn) {
  hold_ = true;
  auto memory = Memory::make(100);
  memory->whole = false;
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  server_->respond(asked_[0], {.body = memory->body()});
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
  EXPECT_EQ(client.received(), "");
}

TEST_F(HttpServerTest, AnswersAThousandWaitingClientsFromOneText) {
  hold_ = true;
  options_.max_connections = 2000;
  options_.answer_timeout = 0;
  use(options_);
  std::list<Client> clients;
  for (size_t i = 0; i < 500; i++) {
    clients.emplace_back(address_);
    ASSERT_TRUE(clients.back().send(kGet));
  }
  ASSERT_TRUE(run_until([&] { return asked_.size() == clients.size(); }));
  Body playlist = Body::shared(std::string(1500, 'p'));
  for (const RequestKey &key : asked_) EXPECT_TRUE(server_->respond(key, {.body = playlist}));
  EXPECT_EQ(playlist.memory().use_count(), 1);
  for (Client &client : clients)
    ASSERT_TRUE(run_until([&] { return client.has("\r\n\r\n" + std::string(1500, 'p')); }));
}

// --- clients that go while they wait ---

TEST_F(HttpServerTest, TellsThatAWaitingClientIsGone) {
  hold_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  EXPECT_TRUE(gone_.empty());
  client.reset();
  ASSERT_TRUE(run_until([&] { return !gone_.empty(); }));
  EXPECT_EQ(gone_, asked_);
  EXPECT_FALSE(server_->respond(asked_[0], text("late")));
}

TEST_F(HttpServerTest, MayTakeAClientThatSaysNothingMoreForGone) {
  hold_ = true;
  forget_half_closed_ = true;
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  client.half_close();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_EQ(gone_, asked_);
  ASSERT_TRUE(run_until([&] { return client.ended(); }));
}

TEST_F(HttpServerTest, TellsNothingOfAnsweredRequests) {
  Client client(address_);
  ASSERT_TRUE(client.send(kGet));
  ASSERT_TRUE(run_until([&] { return client.has("answer"); }));
  client.reset();
  ASSERT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_TRUE(gone_.empty());
}

TEST_F(HttpServerTest, LetsEachRequestWaitAsLongAsItMay) {
  hold_ = true;
  options_.answer_timeout = 80 * kMillisecond;
  use(options_);
  Client patient(address_);
  ASSERT_TRUE(patient.send(kGet));
  ASSERT_TRUE(run_until([&] { return asked_.size() == 1; }));
  server_->set_answer_timeout(asked_[0], 0);
  Client other(address_);
  ASSERT_TRUE(other.send(kGet));
  ASSERT_TRUE(run_until([&] { return other.ended(); }));
  EXPECT_TRUE(other.has(" 504 "));
  EXPECT_FALSE(patient.ended());
  server_->set_answer_timeout(asked_[0], 10 * kMillisecond);
  ASSERT_TRUE(run_until([&] { return patient.has(" 504 "); }));
}

// --- connections that others accepted ---

struct Adoption {
  explicit Adoption(const loop::SocketAddress &address) : client(address) {}
  Client client;
  std::atomic<uint64_t> received = 0, sent = 0;
};

TEST_F(HttpServerTest, AdoptsConnectionsAndTellsOfTheirEnd) {
  Fd listener = listen_on_loopback();
  auto address = *loop::SocketAddress::local_of(listener.get());
  Adoption first(address);
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  int number = fd.get();
  loop::StreamSocket socket(number);
  auto peer = *loop::SocketAddress::peer_of(number);
  uint64_t id = server_->adopt(std::move(fd), std::move(socket), peer, {&first.received, &first.sent});
  EXPECT_NE(id, 0U);
  ASSERT_TRUE(first.client.send(kGet));
  ASSERT_TRUE(run_until([&] { return first.client.has("answer to /"); }));
  EXPECT_EQ(first.received, kGet.size());
  EXPECT_EQ(first.sent, first.client.received().size());
  EXPECT_TRUE(ended_.empty());

  keeps_descriptors_ = true;
  server_->disconnect(id, "kicked");
  ASSERT_EQ(ended_.size(), 1U);
  EXPECT_EQ(ended_[0].connection, id);
  EXPECT_EQ(ended_[0].fd.get(), number); // still open: its owner may have something to note first
  EXPECT_EQ(ended_[0].reason, "kicked");
  EXPECT_EQ(ended_[0].received_bytes, kGet.size());
  EXPECT_EQ(ended_[0].sent_bytes, first.client.received().size());
  ended_.clear();
  ASSERT_TRUE(run_until([&] { return first.client.ended(); }));
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpServerTest, SaysWhyAConnectionEnded) {
  options_.read_timeout = options_.idle_timeout = 80 * kMillisecond;
  use(options_);
  auto reason_of = [&](Client &client, std::string_view input) {
    ended_.clear();
    EXPECT_TRUE(client.send(input));
    EXPECT_TRUE(run_until([&] { return ended_.size() == 1 || client.ended(); }));
    client.close();
    EXPECT_TRUE(run_until([&] { return ended_.size() == 1; }));
    return ended_.empty() ? "" : ended_[0].reason;
  };
  Client idle(address_);
  EXPECT_EQ(reason_of(idle, kGet), "idle");
  Client leaving(address_);
  EXPECT_EQ(reason_of(leaving, "GET / HTTP/1.0\r\n\r\n"), "answered");
  Client slow(address_);
  EXPECT_EQ(reason_of(slow, "GET"), "request not complete in time");
  Client wrong(address_);
  EXPECT_EQ(reason_of(wrong, "nonsense\r\n\r\n"), "invalid request line");
}

} // namespace
} // namespace sluice::http
