#include "supervisor/api/api.h"

#include "common/base/log.h"
#include "common/base/text.h"
#include "supervisor/api/json_writer.h"
#include "supervisor/api/lists.h"
#include "supervisor/auth/credentials.h"
#include "supervisor/auth/http_authorization.h"
#include "supervisor/config/json.h"
#include "supervisor/config/worker_slots.h"

#include <array>
#include <charconv>
#include <variant>

namespace sluice::api {
namespace {

http::Response json_response(std::string body, uint16_t status = 200) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

http::Response failure(uint16_t status, std::string_view reason) {
  return json_response(JsonWriter().begin_object().member("error", reason).end_object().take(), status);
}

std::string joined(const config::LoadErrors &errors) {
  std::string text;
  for (const std::string &error : errors) text += (text.empty() ? "" : "; ") + error;
  return text;
}

// The rest of the route behind `prefix`, or nothing.
std::optional<std::string_view> behind(std::string_view route, std::string_view prefix) {
  if (!route.starts_with(prefix) || route.size() == prefix.size()) return std::nullopt;
  return route.substr(prefix.size());
}

// What clients have at a server.
struct SessionKind {
  std::string_view route; // "/v1/<route>/list"
  config::Protocol protocol;
  bool tls;
};
constexpr std::array<SessionKind, 4> kSessionKinds{{
    {"rtspsessions", config::Protocol::Rtsp, false},
    {"rtspssessions", config::Protocol::Rtsp, true},
    {"rtmpconns", config::Protocol::Rtmp, false},
    {"rtmpsconns", config::Protocol::Rtmp, true},
}};

} // namespace

http::Response Api::answer(const http::Request &request) {
  if (!is_authorized(request)) {
    http::Response refusal = failure(401, "unauthorized");
    refusal.headers.add("WWW-Authenticate", "Basic realm=\"sluice\"");
    return refusal;
  }
  if (request.method == "GET" || request.method == "HEAD") return answer_get(request.path);
  if (request.method == "POST") return answer_post(request.path, request.body);
  return failure(404, "no such route");
}

bool Api::is_authorized(const http::Request &request) const {
  const config::Configuration &configuration = backend_.configuration();
  if (configuration.api_user.empty()) return true;
  const std::string *header = request.headers.find("Authorization");
  if (header == nullptr) return false;
  auto parsed = auth::parse_authorization(*header);
  const auto *basic = parsed ? std::get_if<auth::BasicAuthorization>(&*parsed) : nullptr;
  return basic != nullptr && auth::matches(auth::StoredPair{configuration.api_user, configuration.api_pass},
                                           auth::GivenPair{basic->user.view(), basic->password.view()});
}

http::Response Api::answer_get(std::string_view route) const {
  const config::Configuration &configuration = backend_.configuration();
  if (route == "/v1/config/get") return json_response(config::render_json(configuration));
  if (route == "/v1/paths/list") return json_response(paths_json(backend_));
  if (route == "/v1/workers/list") return json_response(workers_json(backend_));
  if (route == "/v1/hlsmuxers/list" && !configuration.hls_disable) return json_response(muxers_json(backend_));
  for (const SessionKind &kind : kSessionKinds)
    if (route == fmt::format("/v1/{}/list", kind.route) && config::listens(configuration, kind.protocol, kind.tls))
      return json_response(sessions_json(backend_, kind.protocol, kind.tls));
  return failure(404, "no such route");
}

http::Response Api::answer_post(std::string_view route, const std::string &body) {
  if (route.starts_with("/v1/config/")) return change_configuration(route, body);
  if (auto slot = behind(route, "/v1/workers/restart/"))
    return backend_.restart_worker(*slot) ? http::Response{} : failure(404, "no such worker");
  if (auto kicked = kick(route)) return std::move(*kicked);
  return failure(404, "no such route");
}

std::optional<http::Response> Api::kick(std::string_view route) {
  for (const SessionKind &kind : kSessionKinds) {
    auto text = behind(route, fmt::format("/v1/{}/kick/", kind.route));
    if (!text || !config::listens(backend_.configuration(), kind.protocol, kind.tls)) continue;
    uint32_t id = 0;
    auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), id);
    bool known =
        error == std::errc() && end == text->data() + text->size() && backend_.kick(kind.protocol, kind.tls, id);
    return known ? http::Response{} : failure(404, "no such session");
  }
  return std::nullopt;
}

http::Response Api::change_configuration(std::string_view route, const std::string &body) {
  const config::Configuration &base = backend_.configuration();
  std::vector<std::string> ignored;
  config::ChangeResult changed = tl::unexpected(config::LoadErrors{});
  if (route == "/v1/config/set")
    changed = config::apply_json_settings(base, body, &ignored);
  else if (auto added = behind(route, "/v1/config/paths/add/"))
    changed = config::add_path_json(base, *added, body);
  else if (auto edited = behind(route, "/v1/config/paths/edit/"))
    changed = config::edit_path_json(base, *edited, body);
  else if (auto removed = behind(route, "/v1/config/paths/remove/"))
    changed = config::remove_path(base, *removed);
  else
    return failure(404, "no such route");
  for (const std::string &key : ignored)
    if (key != "paths") log(LogLevel::Warn, "[API] config/set: '{}' is no parameter, ignored", key);
  if (!changed) return failure(400, joined(changed.error()));
  log(LogLevel::Info, "reloading configuration (API request)");
  if (auto applied = backend_.change_configuration(std::move(*changed)); !applied)
    return failure(400, applied.error().message);
  return {};
}

} // namespace sluice::api
