// A tiny HTTP server in a thread of its own. What it answers is the test's choice.
#pragma once

#include "common/base/fd.h"
#include "common/loop/socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sluice::auth {

struct HttpRequest {
  std::string method, target, head, body;
};

inline std::string http_response(int status, const std::string &headers = {}, const std::string &body = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " Some\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

class HttpServer {
public:
  // Called in the server's thread; empty: no answer, ever.
  using Handler = std::function<std::optional<std::string>(const HttpRequest &)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto listener = loop::listen_tcp(*loop::SocketAddress::parse("127.0.0.1:0"));
    EXPECT_TRUE(listener.has_value());
    listener_ = std::move(*listener);
    port_ = loop::SocketAddress::local_of(listener_.get())->port();
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    uint64_t one = 1;
    EXPECT_EQ(::write(stop_.get(), &one, sizeof one), ssize_t{sizeof one});
    thread_.join();
  }

  std::string url(const std::string &target = "/auth") const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }
  uint16_t port() const { return port_; }
  size_t accepted() const { return accepted_; }
  size_t asked() {
    std::lock_guard lock(mutex_);
    return requests_.size();
  }
  std::vector<HttpRequest> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

private:
  struct Connection {
    Fd fd;
    std::string input;
  };

  void serve() {
    while (true) {
      std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const auto &[fd, connection] : connections_) polled.push_back({fd, POLLIN, 0});
      if (::poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[0].revents != 0) return;
      if (polled[1].revents != 0) accept_all();
      for (size_t i = 2; i < polled.size(); i++)
        if (polled[i].revents != 0 && !receive(connections_.at(polled[i].fd))) connections_.erase(polled[i].fd);
    }
  }

  void accept_all() {
    while (true) {
      Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      accepted_++;
      int number = fd.get();
      connections_[number] = {std::move(fd), {}};
    }
  }

  bool receive(Connection &connection) {
    char buffer[4096];
    ssize_t count = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    connection.input.append(buffer, static_cast<size_t>(count));
    while (auto request = take_request(connection.input)) {
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(*request);
      }
      if (auto answer = handler_(*request)) ::send(connection.fd.get(), answer->data(), answer->size(), MSG_NOSIGNAL);
    }
    return true;
  }

  static std::optional<HttpRequest> take_request(std::string &input) {
    size_t end = input.find("\r\n\r\n");
    if (end == input.npos) return std::nullopt;
    std::string head = input.substr(0, end + 2);
    size_t length = 0;
    if (size_t at = head.find("Content-Length: "); at != head.npos) length = std::stoul(head.substr(at + 16));
    if (input.size() < end + 4 + length) return std::nullopt;
    size_t space = head.find(' ');
    HttpRequest request{head.substr(0, space), head.substr(space + 1, head.find(' ', space + 1) - space - 1), head,
                        input.substr(end + 4, length)};
    input.erase(0, end + 4 + length);
    return request;
  }

  Handler handler_;
  Fd stop_, listener_;
  uint16_t port_ = 0;
  std::map<int, Connection> connections_;
  std::atomic<size_t> accepted_ = 0;
  std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

} // namespace sluice::auth
