// An address that the person who runs the server talks HTTP to: API, metrics, profiles. Opens and closes its listener
// as the configuration says, plain or over TLS, logs who asks, and hands on the requests. What may fail is done by
// open(). Loop and handler outlive it.
#pragma once

#include "common/http/server/server.h"
#include "supervisor/server_certificate.h"

#include <memory>
#include <optional>
#include <string>

namespace sluice {

class HttpEndpoint : http::HttpServer::Listener, ServerCertificate::Listener {
public:
  // Names a request; never used again. Its connection may be gone.
  struct Key {
    uint64_t server = 0; // which of those that there were one after another
    http::RequestKey request;

    bool operator==(const Key &) const = default;
  };
  struct Handler {
    virtual ~Handler() = default;
    // Answer with respond(), from here or later.
    virtual void on_request(HttpEndpoint &endpoint, const Key &key, http::Request request) = 0;
    // Nobody waits for the answer any more.
    virtual void on_gone(HttpEndpoint &, const Key &) {}
  };
  struct Wanted {
    bool on = false;
    std::string address; // "host:port"
    bool tls = false;
    ServerCertificate::Files files;
  };
  // What a configuration needs beyond what there is.
  struct Opened {
    Fd listener;
    std::optional<ServerCertificate::Loaded> certificate;
  };

  // `label`: of the log lines, as "API".
  HttpEndpoint(loop::Loop &loop, std::string label, Handler &handler);
  ~HttpEndpoint() override;

  Result<Opened> open(const Wanted &next) const;
  void apply(Opened opened, const Wanted &next);
  // Requests under way are still answered.
  void stop();

  bool is_open() const { return server_ != nullptr; }
  const std::string &label() const { return label_; }
  // False if nobody waits for it any more.
  bool respond(const Key &key, http::Response response);
  void set_answer_timeout(const Key &key, Nanoseconds timeout);

private:
  void on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &peer,
                  http::Request request) override;
  void on_access(http::HttpServer &server, const loop::SocketAddress &peer, const http::Request &request) override;
  void on_gone(http::HttpServer &server, const http::RequestKey &key) override;
  void on_accept_failed(http::HttpServer &server, const Error &error) override;
  void on_certificate_changed() override;
  void start(Fd listener);

  Key key_of(const http::HttpServer &server, const http::RequestKey &request) const;
  http::HttpServer *server_of(const Key &key);

  loop::Loop &loop_;
  std::string label_;
  Handler &handler_;
  Wanted wanted_;
  ServerCertificate certificate_;
  std::unique_ptr<http::HttpServer> server_;
  uint64_t servers_ = 0;                      // that there were
  std::unique_ptr<http::HttpServer> closing_; // the former one, while it answers what is under way
  uint64_t closing_number_ = 0;
};

} // namespace sluice
