#include "supervisor/operations.h"

#include "common/base/log.h"
#include "supervisor/processes/process_usage.h"
#include "supervisor/workers.h"

#include <algorithm>

namespace sluice {
namespace {

HttpEndpoint::Wanted wanted_api(const config::Configuration &configuration) {
  return {.on = configuration.api,
          .address = configuration.api_address,
          .tls = configuration.api_encryption,
          .files = {configuration.api_server_cert, configuration.api_server_key}};
}

// RTSP sessions; of the other protocols connections.
size_t session_count(const shm::SessionTable &table, config::Protocol protocol) {
  auto open = [](const auto &record) { return record.state.load(std::memory_order_relaxed) == shm::RecordState::Open; };
  if (protocol == config::Protocol::Rtsp)
    return static_cast<size_t>(std::ranges::count_if(table.touched_sessions(), [&](const shm::SessionRecord &record) {
      return open(record) && record.kind == shm::SessionKind::Client;
    }));
  return static_cast<size_t>(
      std::ranges::count_if(table.touched_connections(), [&](const shm::ConnectionRecord &record) {
        return open(record) && record.is_source == 0;
      }));
}

} // namespace

Operations::Operations(loop::Loop &loop, Host &host, const Sources &sources)
    : loop_(loop), host_(host), workers_(sources.workers), paths_(sources.paths), muxers_(sources.muxers),
      rings_(sources.rings), gate_(sources.gate), hooks_(sources.hooks), sessions_(workers_, paths_), ledger_(paths_),
      api_(static_cast<api::Backend &>(*this)), api_endpoint_(loop, "API", *this),
      metrics_endpoint_(loop, "metrics", *this) {}

Result<Operations::Opened> Operations::open(const config::Configuration &next) const {
  Opened opened;
  opened.api = TRY(api_endpoint_.open(wanted_api(next)));
  opened.metrics = TRY(metrics_endpoint_.open({.on = next.metrics, .address = next.metrics_address}));
  return opened;
}

void Operations::apply(Opened opened, const config::Configuration &next) {
  api_endpoint_.apply(std::move(opened.api), wanted_api(next));
  metrics_endpoint_.apply(std::move(opened.metrics), {.on = next.metrics, .address = next.metrics_address});
}

void Operations::stop() {
  api_endpoint_.stop();
  metrics_endpoint_.stop();
}

void Operations::on_request(HttpEndpoint &endpoint, const HttpEndpoint::Key &key, http::Request request) {
  auto health = answer_health(request, *this);
  if (health) return void(endpoint.respond(key, std::move(*health)));
  endpoint.respond(key, &endpoint == &api_endpoint_ ? api_.answer(request) : answer_metrics(request));
}

Result<void> Operations::change_configuration(config::Configuration next) {
  return host_.change_configuration(std::move(next));
}

// --- sessions ---

std::vector<SessionInfo> Operations::sessions(config::Protocol protocol, bool tls) const {
  return sessions_.list(protocol, tls);
}

bool Operations::kick(config::Protocol protocol, bool tls, uint32_t log_id) {
  auto found = sessions_.find(protocol, tls, log_id);
  if (!found) return false;
  workers_.send(found->slot, control::Kick{found->session, "kicked", found->connection});
  return true;
}

// --- workers ---

std::vector<api::WorkerInfo> Operations::workers() const {
  std::vector<api::WorkerInfo> infos;
  for (uint16_t i = 0; i < config::kMaxWorkerSlots; i++) {
    const processes::Slot *slot = workers_.find(i);
    if (slot == nullptr) continue;
    api::WorkerInfo info{.slot = i,
                         .name = slot->name(),
                         .protocol = workers_.protocol_of(i),
                         .pid = slot->worker_pid(),
                         .keeper_pid = slot->keeper_pid(),
                         .restarts = slot->restarts(),
                         .uptime = slot->has_worker() ? loop_.now() - slot->serves_since() : 0};
    info.sessions = session_count(slot->table(), info.protocol);
    if (auto usage = processes::usage_of(info.pid); info.pid != 0 && usage) {
      info.cpu_seconds = usage->cpu_seconds;
      info.memory_bytes = usage->memory_bytes;
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

bool Operations::restart_worker(std::string_view name) {
  for (uint16_t i = 0; i < config::kMaxWorkerSlots; i++) {
    const processes::Slot *slot = workers_.find(i);
    if (slot == nullptr || slot->name() != name) continue;
    workers_.restart(i, "API request");
    return true;
  }
  return false;
}

std::string Operations::why_not_ready() const {
  if (host_.stopping()) return "the server is shutting down";
  const config::SlotRoles &roles = workers_.roles();
  for (uint16_t i = 0; i < config::kMaxWorkerSlots; i++)
    if (roles[i] && !workers_.serves(i)) return config::name_of(*roles[i]) + " has no worker";
  return {};
}

} // namespace sluice
