// What the metrics are made from.
#include "supervisor/gate.h"
#include "supervisor/hook_runner.h"
#include "supervisor/operations.h"
#include "supervisor/processes/process_usage.h"
#include "supervisor/processes/rings.h"
#include "supervisor/workers.h"

#include <unistd.h>

#include <algorithm>

namespace sluice {

void Operations::on_session_ended(uint16_t slot, const control::Release &release) {
  ledger_.on_session_ended(workers_.protocol_of(slot), release.path, release.traffic);
}

void Operations::on_worker_gone(uint16_t slot) {
  config::Protocol protocol = workers_.protocol_of(slot);
  for (const auto &[path, traffic] : sessions_.by_path(slot, muxers_))
    ledger_.on_session_ended(protocol, path, traffic);
}

http::Response Operations::answer_metrics(const http::Request &request) {
  if ((request.method != "GET" && request.method != "HEAD") || request.path != "/metrics")
    return {.status = 404, .headers = {{"Content-Type", "text/plain"}}, .body = "404 page not found\n"};
  return {.headers = {{"Content-Type", metrics::kContentType}}, .body = metrics::render(facts())};
}

metrics::Facts Operations::facts() {
  metrics::Facts facts;
  facts.version = SLUICE_VERSION;
  if (auto usage = processes::usage_of(::getpid())) {
    facts.cpu_seconds = usage->cpu_seconds;
    facts.memory_bytes = usage->memory_bytes;
  }
  for (const paths::PathInfo &path : paths_.list()) facts.paths.emplace(path.name, path.ready);
  add_sessions(facts);
  facts.hls = !configuration().hls_disable;
  for (const Muxers::Info &muxer : muxers_.list()) facts.muxers.emplace(muxer.path, muxer.bytes);
  add_traffic(facts);
  add_rings(facts);
  add_workers(facts);
  add_decisions(facts);
  return facts;
}

void Operations::add_sessions(metrics::Facts &facts) const {
  struct Kind {
    const char *family;
    config::Protocol protocol;
    bool tls;
  };
  constexpr Kind kKinds[] = {{"rtsp_sessions", config::Protocol::Rtsp, false},
                             {"rtsps_sessions", config::Protocol::Rtsp, true},
                             {"rtmp_conns", config::Protocol::Rtmp, false},
                             {"rtmps_conns", config::Protocol::Rtmp, true}};
  for (const Kind &kind : kKinds) {
    if (!config::listens(configuration(), kind.protocol, kind.tls)) continue;
    metrics::SessionFacts &sessions = facts.sessions.emplace_back();
    sessions.family = kind.family;
    for (const SessionInfo &session : sessions_.list(kind.protocol, kind.tls)) {
      if (session.state == SessionState::Idle) sessions.idle++;
      if (session.state == SessionState::Read) sessions.reading++;
      if (session.state == SessionState::Publish) sessions.publishing++;
    }
  }
}

void Operations::add_traffic(metrics::Facts &facts) {
  for (config::Protocol protocol : config::kProtocols) {
    facts.protocols[protocol] = !workers_.slots(protocol).empty();
    metrics::TrafficLedger::ByPath now = sessions_.by_path(protocol, muxers_);
    facts.totals[protocol] = ledger_.total(protocol, now);
    facts.traffic[protocol] = ledger_.by_path(protocol, now);
  }
}

void Operations::add_rings(metrics::Facts &facts) const {
  std::map<paths::StreamId, uint64_t> cursors = sessions_.slowest_cursors();
  for (const paths::PathInfo &path : paths_.list()) {
    auto extent = path.stream != 0 ? rings_.extent(path.stream) : std::nullopt;
    if (!extent) continue;
    metrics::RingFacts &ring = facts.rings.emplace_back();
    ring.path = path.name;
    ring.capacity_bytes = extent->capacity_bytes;
    auto slowest = cursors.find(path.stream);
    if (slowest == cursors.end() || extent->head <= extent->oldest) continue;
    uint64_t next = std::clamp(slowest->second, extent->oldest, extent->head);
    ring.unread = static_cast<double>(extent->head - next) / static_cast<double>(extent->head - extent->oldest);
  }
}

void Operations::add_workers(metrics::Facts &facts) const {
  for (const api::WorkerInfo &info : workers()) {
    metrics::WorkerFacts &worker = facts.workers.emplace_back();
    worker.name = info.name;
    worker.protocol = info.protocol;
    worker.restarts = info.restarts;
    worker.cpu_seconds = info.cpu_seconds;
    worker.memory_bytes = info.memory_bytes;
    const processes::Slot *slot = workers_.find(info.slot);
    worker.serves = workers_.serves(info.slot);
    worker.round_trips = slot->round_trips();
    const shm::SlotHeader &header = slot->table().header();
    worker.accepted = header.accepted.load(std::memory_order_relaxed);
    worker.refused = header.refused.load(std::memory_order_relaxed);
    for (size_t i = 0; i < worker.answers.size(); i++)
      worker.answers[i] = header.answers[i].load(std::memory_order_relaxed);
  }
  facts.resumed = paths_.continued() + muxers_.resumed();
}

void Operations::add_decisions(metrics::Facts &facts) const {
  const auth::Authenticator &authenticator = gate_.authenticator();
  facts.accepted = authenticator.statistics().accepted;
  facts.refused = authenticator.statistics().refused;
  facts.external = authenticator.statistics().external;
  facts.external_failures = authenticator.external_failures();
  for (const auto &[hook, runs] : hooks_.commands().runs()) facts.hooks.push_back({hook, runs.started, runs.failed});
  facts.commands = hooks_.commands().running();
  facts.reloads = reloads_;
  facts.failed_reloads = failed_reloads_;
}

} // namespace sluice
