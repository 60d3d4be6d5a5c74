// A client of the server under test over TLS, that never blocks.
#pragma once

#include "common/loop/stream_socket.h"
#include "tests/unit/http_server/harness.h"
#include "tests/unit/loop/certificates.h"

#include <openssl/ssl.h>

namespace sluice::http {

class TlsClient {
public:
  // `protocols`: each with its length before it.
  TlsClient(const loop::SocketAddress &address, const loop::TestIdentity &server, std::string_view protocols)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_EQ(::connect(fd_.get(), address.raw(), address.length()), 0);
    auto context = loop::TlsClientContext::trusting(server.certificate);
    SSL_CTX_set_alpn_protos(context->raw(), reinterpret_cast<const uint8_t *>(protocols.data()),
                            static_cast<unsigned int>(protocols.size()));
    socket_.emplace(std::move(*loop::StreamSocket::connect_tls(fd_.get(), *context, "localhost")));
  }

  void send(std::string_view text) { unsent_ += text; }
  // Sends and receives what it can.
  const std::string &received() {
    while (!ended_ && !unsent_.empty()) {
      auto count = socket_->write(as_bytes(unsent_));
      if (!count) ended_ = true;
      if (!count || !*count) break;
      unsent_.erase(0, **count);
    }
    uint8_t buffer[65536];
    while (!ended_) {
      auto count = socket_->read(buffer);
      if (!count || *count == std::optional<size_t>(0)) ended_ = true;
      if (ended_ || (!*count && !socket_->has_unread())) break;
      if (*count) received_ += as_text(Bytes(buffer, **count));
    }
    return received_;
  }
  bool has(std::string_view text) { return received().find(text) != std::string::npos; }
  bool ended() { return received(), ended_; }
  std::string_view protocol() const { return socket_->protocol(); }
  void forget_received() { received_.clear(); }
  void close() { fd_.reset(); }

private:
  Fd fd_;
  std::optional<loop::StreamSocket> socket_;
  std::string unsent_, received_;
  bool ended_ = false;
};

// A server that adopts what comes over TLS.
class HttpsServerTest : public HttpServerTest, loop::Poll::Listener {
protected:
  HttpsServerTest() {
    const std::vector<std::string> protocols = {"h2", "http/1.1"};
    context_.emplace(std::move(
        *loop::TlsServerContext::create(identity_.certificate, identity_.key, std::span<std::string>(), protocols)));
    tls_address_ = *loop::SocketAddress::local_of(listener_.get());
    poll_.emplace(loop_, listener_.get(), static_cast<loop::Poll::Listener &>(*this));
    poll_->watch(loop::Poll::kReadable);
  }

  loop::TestIdentity identity_ = loop::make_identity();
  loop::SocketAddress tls_address_;

private:
  void on_poll(int, int) override {
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    auto peer = loop::SocketAddress::peer_of(fd.get());
    loop::StreamSocket socket = loop::StreamSocket::accept_tls(fd.get(), *context_);
    server_->adopt(std::move(fd), std::move(socket), *peer);
  }

  Fd listener_ = listen_on_loopback();
  std::optional<loop::TlsServerContext> context_;
  std::optional<loop::Poll> poll_;
};

} // namespace sluice::http
