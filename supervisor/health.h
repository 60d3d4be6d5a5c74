// What orchestrators ask: /livez, whether the process answers at all, and /readyz, whether clients would be served.
// Both need no password.
#pragma once

#include "common/http/request_parser.h"
#include "common/http/response.h"

#include <optional>
#include <string>

namespace sluice {

struct Health {
  virtual ~Health() = default;
  // Empty: all listeners are open and a worker serves in each slot.
  virtual std::string why_not_ready() const = 0;
};

// Nothing if that is not what was asked for.
std::optional<http::Response> answer_health(const http::Request &request, const Health &health);

} // namespace sluice
