// Both ends of a TLS connection in one process, for tests.
#pragma once

#include "common/base/fd.h"
#include "common/loop/stream_socket.h"
#include "common/loop/tls.h"
#include "tests/unit/loop/certificates.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

namespace sluice::loop {

inline std::vector<std::string> ticket_keys(std::initializer_list<char> letters) {
  std::vector<std::string> keys;
  for (char letter : letters) keys.emplace_back(kTicketKeyBytes, letter);
  return keys;
}

inline TlsServerContext server_of(const TestIdentity &identity, const std::vector<std::string> &keys = {}) {
  auto context = TlsServerContext::create(identity.certificate, identity.key, keys);
  EXPECT_TRUE(context.has_value()) << context.error().message;
  return std::move(*context);
}

inline TlsClientContext client_of(const std::string &trusted) {
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

} // namespace sluice::loop
