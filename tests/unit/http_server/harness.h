// A server on a loopback port, what it reports, and clients in the same thread.
#pragma once

#include "common/http/server/server.h"

#include <gtest/gtest.h>

#include <functional>

namespace sluice::http {

inline Fd listen_on_loopback() {
  auto fd = loop::listen_tcp(*loop::SocketAddress::parse("127.0.0.1:0"));
  EXPECT_TRUE(fd.has_value());
  return fd ? std::move(*fd) : Fd();
}

// Sends and receives without blocking.
class Client {
public:
  explicit Client(const loop::SocketAddress &address, int receive_buffer_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    EXPECT_EQ(::connect(fd_.get(), address.raw(), address.length()), 0);
  }

  bool send(std::string_view text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  void reset() {
    linger on{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &on, sizeof on);
    fd_.reset();
  }

  // Takes what is there.
  const std::string &received() {
    char buffer[65536];
    ssize_t count = 0;
    while (!ended_ && (count = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
      received_.append(buffer, static_cast<size_t>(count));
    if (count == 0) ended_ = true;
    if (count < 0 && errno != EAGAIN) ended_ = was_reset_ = true;
    return received_;
  }
  bool ended() { return received(), ended_; }
  bool was_reset() const { return was_reset_; }
  bool has(std::string_view text) { return received().find(text) != std::string::npos; }
  size_t count(std::string_view text) {
    size_t found = 0;
    for (size_t at = received().find(text); at != std::string::npos; at = received_.find(text, at + 1)) found++;
    return found;
  }
  int fd() const { return fd_.get(); }

private:
  Fd fd_;
  std::string received_;
  bool ended_ = false, was_reset_ = false;
};

class HttpServerTest : public testing::Test, public HttpServer::Listener, loop::Timer::Listener {
protected:
  HttpServerTest() : step_(loop_, *this) {
    Fd fd = listen_on_loopback();
    address_ = *loop::SocketAddress::local_of(fd.get());
    options_.linger_timeout = 200 * kMillisecond;
    server_.emplace(loop_, *this, std::move(fd), options_);
  }

  void use(const ServerOptions &options) {
    options_ = options;
    server_->set_options(options);
  }

  // Answers at once unless `hold_` is set; else the keys are in `asked_`.
  void on_request(HttpServer &server, const RequestKey &key, const loop::SocketAddress &peer,
                  Request request) override {
    EXPECT_EQ(&server, &*server_);
    EXPECT_EQ(peer.host(), "127.0.0.1");
    asked_.push_back(key);
    paths_.push_back(request.path);
    bodies_.push_back(request.body);
    if (hold_) return;
    EXPECT_TRUE(server.respond(key, text(body_.empty() ? "answer to " + request.path : body_)));
  }
  void on_access(HttpServer &, const loop::SocketAddress &peer, const Request &request) override {
    access_log_.push_back(peer.host() + " " + request.method + " " + request.path);
  }
  void on_refused(HttpServer &, const loop::SocketAddress &, const Refusal &refusal) override {
    refused_.push_back(refusal.status);
  }
  bool on_half_closed(HttpServer &, const RequestKey &) override { return forget_half_closed_; }
  void on_gone(HttpServer &, const RequestKey &key) override { gone_.push_back(key); }
  void on_connection_ended(HttpServer &, ConnectionEnd end) override {
    if (!keeps_descriptors_) end.fd.reset();
    ended_.push_back(std::move(end));
  }
  void on_accept_failed(HttpServer &, const Error &) override { accept_failures_++; }
  void on_closed(HttpServer &) override { closed_++; }

  static Response text(std::string body) {
    return {.headers = {{"Content-Type", "text/plain"}}, .body = std::move(body)};
  }

  // Runs the loop until the condition holds; false after `patience`.
  bool run_until(const std::function<bool()> &condition, Nanoseconds patience = 5 * kSecond) {
    condition_ = condition;
    give_up_at_ = loop_.now() + patience;
    step_.start(0, kMillisecond);
    loop_.run();
    step_.stop();
    return condition();
  }
  void run_for(Nanoseconds duration) {
    run_until([] { return false; }, duration);
  }

  loop::Loop loop_;
  ServerOptions options_;
  loop::SocketAddress address_;
  std::optional<HttpServer> server_;

  bool hold_ = false;
  bool forget_half_closed_ = false;
  bool keeps_descriptors_ = false; // of connections that ended
  std::string body_;               // of all answers; empty: one that names the path
  std::vector<RequestKey> asked_, gone_;
  std::vector<ConnectionEnd> ended_;
  std::vector<std::string> paths_, bodies_, access_log_;
  std::vector<uint16_t> refused_;
  int accept_failures_ = 0, closed_ = 0;

private:
  void on_timer(loop::Timer &) override {
    if (condition_() || loop_.now() > give_up_at_) loop_.stop();
  }

  loop::Timer step_;
  std::function<bool()> condition_;
  Nanoseconds give_up_at_ = 0;
};

} // namespace sluice::http
