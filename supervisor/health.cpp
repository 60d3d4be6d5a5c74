#include "supervisor/health.h"

namespace sluice {

std::optional<http::Response> answer_health(const http::Request &request, const Health &health) {
  if (request.method != "GET" && request.method != "HEAD") return std::nullopt;
  bool ready = request.path == "/readyz";
  if (!ready && request.path != "/livez") return std::nullopt;
  std::string problem = ready ? health.why_not_ready() : "";
  http::Response response;
  response.status = problem.empty() ? 200 : 503;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  response.body = (problem.empty() ? (ready ? "ready" : "alive") : problem) + "\n";
  return response;
}

} // namespace sluice
