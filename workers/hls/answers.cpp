#include "workers/hls/answers.h"

#include <fmt/core.h>

namespace sluice::hls {

void allow_origin(http::Response &response, const std::string &origin) {
  response.headers.add("Access-Control-Allow-Origin", origin);
  response.headers.add("Access-Control-Allow-Credentials", "true");
}

void set_cache_control(http::Response &response, Kept kept, int64_t seconds) {
  constexpr int64_t kForever = 86400; // longer than any stream keeps a segment
  switch (kept) {
  case Kept::Never:
    return response.headers.add("Cache-Control", "no-cache");
  case Kept::Briefly:
    return response.headers.add("Cache-Control", fmt::format("max-age={}", seconds));
  case Kept::Forever:
    return response.headers.add("Cache-Control", fmt::format("max-age={}, immutable", kForever));
  }
}

http::Response text_response(uint16_t status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::string(text);
  return response;
}

http::Response preflight_response(const http::Request &request) {
  http::Response response;
  response.status = 200;
  response.headers.add("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
  if (const std::string *wanted = request.headers.find("Access-Control-Request-Headers"))
    response.headers.add("Access-Control-Allow-Headers", *wanted);
  return response;
}

} // namespace sluice::hls
