#include "common/loop/tls.h"
#include "tests/unit/loop/tls_link.h"

#include <openssl/ssl.h>

#include <cctype>

namespace sluice::loop {
namespace {

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

TEST(TlsServer, AgreesUponTheBestProtocolThatBothSpeak) {
  TestIdentity identity = make_identity();
  const std::vector<std::string> ours = {"h2", "http/1.1"};
  auto with = TlsServerContext::create(identity.certificate, identity.key, {}, ours);
  ASSERT_TRUE(with.has_value());
  TlsServerContext without = server_of(identity);
  auto agreed = [&](const TlsServerContext &server, std::string_view offered) {
    TlsClientContext client = client_of(identity.certificate);
    EXPECT_EQ(SSL_CTX_set_alpn_protos(client.raw(), reinterpret_cast<const uint8_t *>(offered.data()),
                                      static_cast<unsigned int>(offered.size())),
              0);
    Link link;
    link.join(server, client);
    link.shake_hands();
    EXPECT_EQ(link.server_error + link.client_error, "");
    EXPECT_EQ(link.server->protocol(), link.client->protocol());
    return std::string(link.server->protocol());
  };
  EXPECT_EQ(agreed(*with, "\x08http/1.1\x02h2"), "h2");
  EXPECT_EQ(agreed(*with, "\x03wsx\x08http/1.1"), "http/1.1");
  EXPECT_EQ(agreed(*with, "\x03wsx"), "");
  EXPECT_EQ(agreed(*with, ""), "");
  EXPECT_EQ(agreed(without, "\x02h2"), "");
  EXPECT_FALSE(TlsServerContext::create(identity.certificate, identity.key, {}, std::vector<std::string>{""}));
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
