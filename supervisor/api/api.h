// The HTTP API: what it answers to which request. Changes of the configuration are answered once they are applied, or
// refused with the reason and nothing changed. Loop and backend outlive it.
#pragma once

#include "common/http/server/server.h"
#include "supervisor/config/configuration.h"
#include "supervisor/paths/events.h"

#include <memory>
#include <string_view>
#include <vector>

namespace sluice::api {

struct Backend {
  virtual ~Backend() = default;
  virtual const config::Configuration &configuration() const = 0;
  virtual std::vector<paths::PathInfo> paths() const = 0;
  // Error: why not; nothing has changed then.
  virtual Result<void> change_configuration(config::Configuration next) = 0;
};

class Api final : public http::HttpServer::Listener {
public:
  Api(loop::Loop &loop, Backend &backend) : loop_(loop), backend_(backend) {}

  // From here on at this socket, instead of where it was.
  void listen(Fd listener);
  // Requests under way are still answered.
  void stop_listening();

private:
  void on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &peer,
                  http::Request request) override;
  void on_access(http::HttpServer &server, const loop::SocketAddress &peer, const http::Request &request) override;

  http::Response answer(const http::Request &request);
  http::Response answer_get(std::string_view route);
  http::Response answer_post(std::string_view route, const std::string &body);
  std::string paths_json() const;
  bool is_authorized(const http::Request &request) const;

  loop::Loop &loop_;
  Backend &backend_;
  std::unique_ptr<http::HttpServer> server_;
  std::unique_ptr<http::HttpServer> closing_; // the former one, while it answers what is under way
};

} // namespace sluice::api
