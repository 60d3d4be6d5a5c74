#include "common/loop/stream_socket.h"
#include "tests/unit/loop/tls_link.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>

namespace sluice::loop {
namespace {

ByteVector pattern(size_t length) {
  ByteVector bytes(length);
  for (size_t i = 0; i < length; i++) bytes[i] = static_cast<uint8_t>(i * 7 + i / 251);
  return bytes;
}

// Moves `sent` from one end to the other as the rules say; at most `read_bytes` a read.
ByteVector transfer(StreamSocket &from, StreamSocket &to, const ByteVector &sent, size_t read_bytes) {
  ByteVector received, buffer(read_bytes);
  size_t written = 0;
  for (int turn = 0; turn < 1'000'000 && received.size() < sent.size(); turn++) {
    if (written < sent.size()) {
      auto count = from.write(Bytes(sent).subspan(written));
      EXPECT_TRUE(count.has_value()) << count.error().message;
      if (!count) break;
      written += count->value_or(0);
    } else if (from.wants_write()) {
      EXPECT_TRUE(from.flush().has_value());
    }
    pollfd poll{to.fd(), POLLIN, 0};
    if (!to.has_unread() && ::poll(&poll, 1, 0) == 0) continue; // nothing calls read() then
    auto count = to.read(buffer);
    EXPECT_TRUE(count.has_value()) << count.error().message;
    if (!count) break;
    received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(count->value_or(0)));
  }
  return received;
}

TEST(StreamSocket, MovesBytesBothWaysOverTls) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  Link link;
  link.join(server, client);
  EXPECT_TRUE(link.server->handshaking());
  link.shake_hands();
  EXPECT_EQ(link.client_error, "");
  ASSERT_FALSE(link.server->handshaking() || link.client->handshaking());
  ByteVector sent = pattern(1'000'000);
  EXPECT_EQ(transfer(*link.server, *link.client, sent, 4096), sent);
  EXPECT_EQ(transfer(*link.client, *link.server, sent, 100'000), sent);
}

TEST(StreamSocket, MovesBytesThroughTheSmallestBuffers) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity, ticket_keys({'a'}));
  TlsClientContext client = client_of(identity.certificate);
  for (size_t read_bytes : {1, 2, 333, 70'000}) {
    Link link(kTiny);
    link.join(server, client);
    link.shake_hands();
    ByteVector sent = pattern(150'000);
    EXPECT_EQ(transfer(*link.server, *link.client, sent, read_bytes), sent);
    EXPECT_EQ(transfer(*link.client, *link.server, sent, read_bytes), sent);
  }
}

TEST(StreamSocket, HasUnreadBytesThoughItsDescriptorIsNotReadable) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  Link link;
  link.join(server, client);
  link.shake_hands();
  uint8_t buffer[100];
  while (link.server->has_unread()) ASSERT_FALSE(link.server->read(buffer)->has_value());
  ASSERT_EQ(link.client->write(pattern(150))->value(), 150u);
  ASSERT_EQ(link.server->read(buffer)->value(), 100u);
  pollfd poll{link.server->fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&poll, 1, 0), 0);
  EXPECT_TRUE(link.server->has_unread());
  ASSERT_EQ(link.server->read(buffer)->value(), 50u);
  EXPECT_FALSE(link.server->has_unread());
}

TEST(StreamSocket, KeepsWhatTheKernelDoesNotTakeAndNoMore) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  Link link(kTiny);
  link.join(server, client);
  link.shake_hands();
  ByteVector sent = pattern(1'000'000);
  EXPECT_EQ(link.server->write(sent)->value(), 64u * 1024);
  std::fill(sent.begin(), sent.begin() + 64 * 1024, 0); // it need not be held
  EXPECT_TRUE(link.server->wants_write());
  EXPECT_FALSE(link.server->write(sent)->has_value());
  EXPECT_FALSE(*link.server->flush());
  ByteVector rest; // of what was taken
  ByteVector buffer(100'000);
  while (rest.size() < 64 * 1024) {
    auto count = link.client->read(buffer);
    ASSERT_TRUE(count.has_value());
    rest.insert(rest.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(count->value_or(0)));
    ASSERT_TRUE(link.server->flush().has_value());
  }
  EXPECT_FALSE(link.server->wants_write());
  ByteVector expected = pattern(1'000'000);
  expected.resize(64 * 1024);
  EXPECT_EQ(rest, expected);
}

TEST(StreamSocket, GathersParts) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  Link link;
  link.join(server, client);
  link.shake_hands();
  ByteVector bytes = pattern(100'000), received, buffer(65'536);
  iovec parts[] = {
      {bytes.data(), 3}, {bytes.data() + 3, 0}, {bytes.data() + 3, 60'000}, {bytes.data() + 60'003, 39'997}};
  ASSERT_EQ(link.server->write(std::span<const iovec>(parts))->value(), 65'536u);
  while (received.size() < 65'536) {
    auto count = link.client->read(buffer);
    ASSERT_TRUE(count.has_value());
    received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(count->value_or(0)));
    ASSERT_TRUE(link.server->flush().has_value());
  }
  bytes.resize(65'536);
  EXPECT_EQ(received, bytes);
}

TEST(StreamSocket, EndsWithACloseNotifyOrWithout) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  for (bool in_order : {true, false}) {
    Link link;
    link.join(server, client);
    link.shake_hands();
    uint8_t buffer[10];
    while (link.client->has_unread()) ASSERT_TRUE(link.client->read(buffer).has_value());
    if (in_order) {
      link.server->shutdown();
      EXPECT_FALSE(link.server->wants_write());
    } else {
      ::shutdown(link.ends[0].get(), SHUT_WR);
    }
    auto count = link.client->read(buffer);
    ASSERT_TRUE(count.has_value()) << count.error().message;
    EXPECT_EQ(*count, std::optional<size_t>(0));
    EXPECT_EQ(link.client->write(buffer)->value(), sizeof buffer); // the other direction goes on
    EXPECT_EQ(link.server->read(buffer)->value(), sizeof buffer);
  }
}

// What the client end sends goes through `cut` bytes and then ends.
TEST(StreamSocket, EndsInTheMiddleOfARecordOrAHandshake) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  for (bool shaken : {false, true}) {
    Link link;
    link.join(server, client);
    if (shaken) link.shake_hands();
    int between[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, between), 0);
    Fd near(between[0]), far(between[1]);
    ASSERT_TRUE(shaken ? link.client->write(pattern(1000)).has_value() : link.client->read({}).has_value());
    uint8_t bytes[2000];
    ssize_t there = ::recv(link.ends[0].get(), bytes, sizeof bytes, MSG_PEEK);
    ASSERT_GT(there, 100);
    ASSERT_EQ(::send(near.get(), bytes, static_cast<size_t>(there - 50), 0), there - 50);
    ASSERT_EQ(::dup2(far.get(), link.ends[0].get()), link.ends[0].get()); // the server's end is this from now on
    near.reset();
    Result<std::optional<size_t>> count = std::nullopt;
    do count = link.server->read(bytes);
    while (count && !count->has_value() && link.server->has_unread());
    if (shaken) {
      ASSERT_TRUE(count.has_value());
      EXPECT_EQ(*count, std::optional<size_t>(0));
    } else {
      ASSERT_FALSE(count.has_value());
      EXPECT_EQ(count.error().message, "TLS: closed by the peer during the handshake");
    }
  }
}

// Each update is answered; a peer that does not take the answers is not heard any more, until it does.
TEST(StreamSocket, AnswersAFloodOfKeyUpdatesWithinItsBound) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  Link link(kTiny);
  StreamSocket accepted = StreamSocket::accept_tls(link.ends[0].get(), server);
  std::unique_ptr<SSL, void (*)(SSL *)> peer(SSL_new(client.raw()), SSL_free);
  SSL_set_fd(peer.get(), link.ends[1].get());
  SSL_set_verify(peer.get(), SSL_VERIFY_NONE, nullptr);
  SSL_set_connect_state(peer.get());
  uint8_t buffer[100] = {};
  auto turn = [&] {
    ERR_clear_error();
    auto flushed = accepted.flush();
    EXPECT_TRUE(flushed.has_value());
    auto count = accepted.read(buffer);
    EXPECT_TRUE(count.has_value()) << count.error().message;
    return *flushed;
  };
  for (int i = 0; i < 100 && SSL_do_handshake(peer.get()) != 1; i++) turn();
  for (int i = 0; i < 10; i++) turn();
  ASSERT_FALSE(accepted.handshaking());
  int updates = 0, blocked = 0;
  for (; updates < 200'000 && blocked < 10; updates++) {
    SSL_key_update(peer.get(), SSL_KEY_UPDATE_REQUESTED); // refused while the last one is on its way
    blocked = SSL_do_handshake(peer.get()) == 1 ? 0 : blocked + 1;
    turn();
  }
  EXPECT_EQ(blocked, 10) << "it was never held up";
  EXPECT_TRUE(accepted.wants_write());
  EXPECT_FALSE(accepted.has_unread()); // nothing calls read() in vain
  for (int idle = 0; idle < 10;) {     // its answers are taken, so the rest of the flood is heard
    while (::recv(link.ends[1].get(), buffer, sizeof buffer, 0) > 0) {
    }
    idle = turn() || accepted.has_unread() ? 0 : idle + 1;
  }
  EXPECT_FALSE(accepted.wants_write());
  EXPECT_FALSE(accepted.has_unread());
  EXPECT_LT(::recv(link.ends[0].get(), buffer, sizeof buffer, 0), 0);
}

TEST(StreamSocket, RefusesWhatIsNoTls) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  Link link;
  StreamSocket accepted = StreamSocket::accept_tls(link.ends[0].get(), server);
  std::string rubbish = "OPTIONS rtsp://localhost/ RTSP/1.0\r\nCSeq: 1\r\n\r\n";
  ASSERT_GT(::send(link.ends[1].get(), rubbish.data(), rubbish.size(), 0), 0);
  uint8_t buffer[10];
  auto count = accepted.read(buffer);
  ASSERT_FALSE(count.has_value());
  EXPECT_EQ(count.error().message, "TLS: wrong version number");
  EXPECT_FALSE(accepted.read(buffer).has_value()); // and remains so
  EXPECT_FALSE(accepted.write(pattern(10)).has_value());
}

TEST(StreamSocket, RefusesOldVersions) {
  TestIdentity identity = make_identity();
  TlsServerContext server = server_of(identity);
  TlsClientContext client = client_of(identity.certificate);
  SSL_CTX_set_security_level(client.raw(), 0);
  SSL_CTX_set_min_proto_version(client.raw(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(client.raw(), TLS1_1_VERSION);
  Link link;
  link.join(server, client);
  link.shake_hands();
  EXPECT_EQ(link.server_error, "TLS: unsupported protocol");
  SSL_CTX_set_max_proto_version(client.raw(), TLS1_2_VERSION);
  Link newer;
  newer.join(server, client);
  newer.shake_hands();
  EXPECT_FALSE(newer.server->handshaking());
}

} // namespace
} // namespace sluice::loop
