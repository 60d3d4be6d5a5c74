// The HTTP API: what it answers to which request. Changes of the configuration are answered once they are applied, or
// refused with the reason and nothing changed. The backend outlives it.
#pragma once

#include "common/http/request_parser.h"
#include "common/http/response.h"
#include "supervisor/api/backend.h"

#include <optional>
#include <string_view>

namespace sluice::api {

class Api {
public:
  explicit Api(Backend &backend) : backend_(backend) {}

  http::Response answer(const http::Request &request);

private:
  http::Response answer_get(std::string_view route) const;
  http::Response answer_post(std::string_view route, const std::string &body);
  http::Response change_configuration(std::string_view route, const std::string &body);
  std::optional<http::Response> kick(std::string_view route);
  bool is_authorized(const http::Request &request) const;

  Backend &backend_;
};

} // namespace sluice::api
