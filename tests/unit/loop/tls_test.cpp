#include "common/base/fd.h"
#include "common/loop/stream_socket.h"
#include "common/loop/tls.h"
#include "tests/unit/loop/certificates.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>

namespace sluice::loop {
namespace {

std::vector<std::string> ticket_keys(std::initializer_list<char> letters) {
  std::vector<std::string> keys;
  for (char letter : letters) keys.emplace_back(kTicketKeyBytes, letter);
  return keys;
}

TlsServerContext server_of(const TestIdentity &identity, const std::vector<std::string> &keys = {}) {
  auto context = TlsServerContext::create(identity.certificate, identity.key, keys);
  EXPECT_TRUE(context.has_value()) << context.error().message;
  return std::move(*context);
}

TlsClientContext client_of(const std::string &trusted) {
  auto context = TlsClientContext::trusting(trusted);
  EXPECT_TRUE(context.has_value()) << context.error().message;
  return std::move(*context);
}

constexpr size_t kTiny = 1; // the kernel makes it the least there can be

// Both ends, in one process.
struct Link {
  explicit Link(size_t buffer_bytes = 0) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    for (size_t i = 0; i < 2; i++) {
      ends[i] = Fd(fds[i]);
      int size = static_cast<int>(buffer_bytes);
      if (size > 0) ::setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
  }

  void join(const TlsServerContext &server_context, const TlsClientContext &client_context,
            const std::string &host = "localhost") {
    auto connected = StreamSocket::connect_tls(ends[1].get(), client_context, host);
    ASSERT_TRUE(connected.has_value()) << connected.error().message;
    server.emplace(StreamSocket::accept_tls(ends[0].get(), server_context));
    client.emplace(std::move(*connected));
  }

  // Turns until both ends are done or one fails.
  void shake_hands() {
    uint8_t none;
    for (int i = 0; i < 1000 && (server->handshaking() || client->handshaking()); i++) {
      for (auto *end : {&*client, &*server}) {
        auto flushed = end->flush();
        auto result = end->read({&none, 0});
        if (result && flushed) continue;
        (end == &*client ? client_error : server_error) = result ? flushed.error().message : result.error().message;
        return;
      }
    }
  }

  Fd ends[2];
  std::optional<StreamSocket> server, client;
  std::string client_error, server_error;
};

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

// --- whom a client trusts ---

std::string verdict(const TestIdentity &shown, const TlsClientContext &client, const std::string &host) {
  TlsServerContext server = server_of(shown);
  Link link;
  link.join(server, client, host);
  link.shake_hands();
  EXPECT_EQ(link.client_error.empty(), !link.client->handshaking());
  return link.client_error;
}

TEST(TlsClient, TrustsCertificatesForItsHost) {
  TestIdentity issuer = make_identity({.name = "issuer", .alternatives = ""});
  TestIdentity good = make_identity({.issuer = &issuer});
  TlsClientContext client = client_of(issuer.certificate);
  for (const char *host : {"localhost", "127.0.0.1", "[::1]", "::1"}) EXPECT_EQ(verdict(good, client, host), "");
  EXPECT_EQ(verdict(good, client, "example.com"), "TLS: certificate verify failed: hostname mismatch");
  EXPECT_EQ(verdict(good, client, "127.0.0.2"), "TLS: certificate verify failed: IP address mismatch");
  EXPECT_EQ(verdict(make_identity(), client, "localhost"), "TLS: certificate verify failed: self-signed certificate");
  EXPECT_EQ(verdict(make_identity({.days = -1, .issuer = &issuer}), client, "localhost"),
            "TLS: certificate verify failed: certificate has expired");
}

TEST(TlsClient, ComparesAFingerprintAndNothingElse) {
  TestIdentity expired = make_identity({.name = "anyone", .alternatives = "", .days = -1});
  std::string right = fingerprint_of(expired), upper, wrong = right;
  for (size_t i = 0; i < right.size(); i++) {
    if (i > 0 && i % 2 == 0) upper += ':';
    upper += static_cast<char>(std::toupper(right[i]));
  }
  wrong[5] = wrong[5] == '0' ? '1' : '0';
  for (const std::string &text : {right, upper})
    EXPECT_EQ(verdict(expired, *TlsClientContext::with_fingerprint(text), "localhost"), "");
  EXPECT_EQ(verdict(expired, *TlsClientContext::with_fingerprint(wrong), "localhost"),
            "server fingerprint do not match: expected " + wrong + ", got " + right);
  for (const char *text : {"", "12", "zz"}) EXPECT_FALSE(TlsClientContext::with_fingerprint(text).has_value());
}

TEST(TlsClient, SaysWhatIsWrongWithWhatItShallTrust) {
  std::string damaged = make_identity().certificate;
  damaged.replace(100, 4, "!!!!");
  for (const auto &[text, part] : {std::pair<std::string, std::string>{"", "no PEM certificate in it"},
                                   {"rubbish", "no PEM certificate in it"},
                                   {damaged, "certificate 1 is damaged: "}}) {
    auto context = TlsClientContext::trusting(text);
    ASSERT_FALSE(context.has_value());
    EXPECT_NE(context.error().message.find(part), std::string::npos) << context.error().message;
  }
}

// --- what a server shows ---

TEST(TlsServer, TakesNothingForNothing) {
  TestIdentity one = make_identity();
  EXPECT_FALSE(TlsServerContext::create({}, one.key, {}).has_value());
  EXPECT_FALSE(TlsServerContext::create(one.certificate, {}, {}).has_value());
  EXPECT_FALSE(TlsClientContext::trusting({}).has_value());
}

TEST(TlsServer, SaysWhatIsWrongWithItsFiles) {
  TestIdentity one = make_identity(), other = make_identity();
  struct Case {
    std::string chain, key, error;
  };
  const std::string locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                             "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjF9Kp1sK3PZAICCAAw\n"
                             "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJ0Wn2rZm0zqWkWl3sVQWQ0EgZC2\n"
                             "-----END ENCRYPTED PRIVATE KEY-----\n";
  for (const Case &c :
       {Case{"", one.key, "the certificate can't be used: no PEM certificate in it"},
        Case{one.key, one.key, "the certificate can't be used: no PEM certificate in it"},
        Case{one.certificate, "", "the private key can't be used: no PEM private key in it"},
        Case{one.certificate, one.certificate, "the private key can't be used: no PEM private key in it"},
        Case{one.certificate, other.key, "the private key does not belong to the certificate"},
        Case{one.certificate.substr(0, 200), one.key, "the certificate can't be used: "},
        Case{one.certificate, one.key.substr(0, 100), "the private key can't be used: "},
        Case{one.certificate, locked, "the private key can't be used: "}}) {
    auto context = TlsServerContext::create(c.chain, c.key, {});
    ASSERT_FALSE(context.has_value());
    EXPECT_EQ(context.error().message.substr(0, c.error.size()), c.error);
  }
}

TEST(TlsServer, ShowsItsWholeChain) {
  TestIdentity root = make_identity({.name = "root", .alternatives = ""});
  TestIdentity middle = make_identity({.name = "middle", .alternatives = "", .issuer = &root});
  TestIdentity own = make_identity({.issuer = &middle});
  TlsClientContext client = client_of(root.certificate);
  EXPECT_EQ(verdict({own.certificate + middle.certificate, own.key}, client, "localhost"), "");
  EXPECT_NE(verdict(own, client, "localhost"), "");
}

// A client that has the ticket of its last connection. Not StreamSocket: that begins anew each time.
struct Visitor {
  explicit Visitor(int version) : context(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
  }
  ~Visitor() {
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
  }

  // Whether it was resumed.
  bool visit(const TlsServerContext &server) {
    Link link;
    StreamSocket accepted = StreamSocket::accept_tls(link.ends[0].get(), server);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, link.ends[1].get());
    if (session != nullptr) SSL_set_session(ssl, session);
    SSL_set_connect_state(ssl);
    uint8_t byte = 'x';
    for (int i = 0; i < 10; i++) {
      SSL_do_handshake(ssl);
      EXPECT_TRUE(accepted.read({&byte, 0}).has_value());
    }
    EXPECT_EQ(accepted.write({&byte, 1})->value(), 1u);
    EXPECT_EQ(SSL_read(ssl, &byte, 1), 1); // a ticket comes before it
    bool resumed = SSL_session_reused(ssl) == 1;
    EXPECT_EQ(accepted.resumed(), resumed);
    SSL_SESSION_free(session);
    session = SSL_get1_session(ssl);
    SSL_shutdown(ssl); // else the session may not be used again
    SSL_free(ssl);
    return resumed;
  }

  SSL_CTX *context;
  SSL_SESSION *session = nullptr;
};

TEST(TlsServer, ResumesWhatAnotherBeganWithTheSameTicketKeys) {
  TestIdentity identity = make_identity();
  TlsServerContext one = server_of(identity, ticket_keys({'a'})), same = server_of(identity, ticket_keys({'a'}));
  TlsServerContext rotated = server_of(identity, ticket_keys({'b', 'a'})),
                   strange = server_of(identity, ticket_keys({'c'}));
  TlsServerContext after = server_of(identity, ticket_keys({'b'})), none = server_of(identity);
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Visitor visitor(version);
    EXPECT_FALSE(visitor.visit(one));
    EXPECT_TRUE(visitor.visit(same));
    EXPECT_TRUE(visitor.visit(rotated));
    EXPECT_TRUE(visitor.visit(after)); // rotated gave it a ticket made with the new key
    EXPECT_FALSE(visitor.visit(strange));
    EXPECT_FALSE(visitor.visit(none));
    EXPECT_FALSE(visitor.visit(one));
  }
}

TEST(TlsServer, ShowsAnotherCertificateToThoseWhoKnewTheLast) {
  TlsServerContext before = server_of(make_identity(), ticket_keys({'a'}));
  TlsServerContext after = server_of(make_identity(), ticket_keys({'a'}));
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Visitor visitor(version);
    EXPECT_FALSE(visitor.visit(before));
    EXPECT_FALSE(visitor.visit(after));
    EXPECT_TRUE(visitor.visit(after));
  }
}

} // namespace
} // namespace sluice::loop
