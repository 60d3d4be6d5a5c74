#include "supervisor/api/api.h"

#include "common/base/log.h"
#include "supervisor/auth/credentials.h"
#include "supervisor/auth/http_authorization.h"
#include "supervisor/config/json.h"

#include <cjson/cJSON.h>

#include <map>
#include <variant>

namespace sluice::api {
namespace {

struct DeleteJson {
  void operator()(cJSON *json) const { cJSON_Delete(json); }
};
using Json = std::unique_ptr<cJSON, DeleteJson>;

std::string to_text(const Json &json) {
  std::unique_ptr<char, decltype(&cJSON_free)> text(cJSON_PrintUnformatted(json.get()), cJSON_free);
  return text ? text.get() : "";
}

http::Response json_response(std::string body, uint16_t status = 200) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
}

http::Response failure(uint16_t status, std::string_view reason) {
  Json json(cJSON_CreateObject());
  cJSON_AddStringToObject(json.get(), "error", printable(reason).c_str());
  return json_response(to_text(json), status);
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

const char *type_of(const paths::Client &client) {
  switch (client.protocol) {
  case config::Protocol::Rtsp:
    return client.tls ? "rtspsSession" : "rtspSession";
  case config::Protocol::Rtmp:
    return client.tls ? "rtmpsConn" : "rtmpConn";
  case config::Protocol::Hls:
    return "hlsMuxer";
  }
  return "";
}

void describe(const paths::Client &client, cJSON *item) {
  cJSON_AddStringToObject(item, "type", type_of(client));
  if (client.protocol == config::Protocol::Hls) return; // its clients have no sessions
  cJSON_AddStringToObject(item, "id", std::to_string(client.log_id).c_str());
}

} // namespace

void Api::listen(Fd listener) {
  if (server_)
    server_->set_listener(std::move(listener));
  else
    server_ = std::make_unique<http::HttpServer>(loop_, *this, std::move(listener));
}

void Api::stop_listening() {
  if (!server_) return;
  server_->close();
  closing_ = std::move(server_);
}

void Api::on_access(http::HttpServer &, const loop::SocketAddress &peer, const http::Request &request) {
  log(LogLevel::Info, "[API] [conn {}] {} {}", peer.text(), request.method, printable(request.path));
}

void Api::on_request(http::HttpServer &server, const http::RequestKey &key, const loop::SocketAddress &,
                     http::Request request) {
  server.respond(key, answer(request));
}

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

http::Response Api::answer_get(std::string_view route) {
  if (route == "/v1/config/get") return json_response(config::render_json(backend_.configuration()));
  if (route == "/v1/paths/list") return json_response(paths_json());
  return failure(404, "no such route");
}

http::Response Api::answer_post(std::string_view route, const std::string &body) {
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

std::string Api::paths_json() const {
  const config::Configuration &configuration = backend_.configuration();
  std::map<std::string, std::string> shown; // entries
  Json json(cJSON_CreateObject());
  cJSON *items = cJSON_AddObjectToObject(json.get(), "items");
  for (const paths::PathInfo &path : backend_.paths()) {
    cJSON *item = cJSON_AddObjectToObject(items, path.name.c_str());
    cJSON_AddStringToObject(item, "confName", path.entry.c_str());
    std::string &entry = shown[path.entry];
    auto found = configuration.paths.find(path.entry);
    if (entry.empty() && found != configuration.paths.end()) entry = config::render_json(found->second);
    cJSON_AddRawToObject(item, "conf", entry.empty() ? "null" : entry.c_str());
    if (path.source == paths::PathInfo::Source::None) {
      cJSON_AddNullToObject(item, "source");
    } else {
      using Source = paths::PathInfo::Source;
      cJSON *source = cJSON_AddObjectToObject(item, "source");
      if (path.source == Source::Session)
        describe(path.publisher, source);
      else if (path.source == Source::Redirect)
        cJSON_AddStringToObject(source, "type", "redirect");
      else
        cJSON_AddStringToObject(source, "type",
                                (std::string(config::name_of(path.pulled_protocol)) + "Source").c_str());
    }
    cJSON_AddBoolToObject(item, "sourceReady", path.ready);
    cJSON *readers = cJSON_AddArrayToObject(item, "readers");
    for (const paths::Client &reader : path.readers) {
      cJSON *client = cJSON_CreateObject();
      describe(reader, client);
      cJSON_AddItemToArray(readers, client);
    }
  }
  return to_text(json);
}

} // namespace sluice::api
