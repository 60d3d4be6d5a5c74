#include "supervisor/metrics/metrics.h"

#include "common/base/log.h"
#include "supervisor/metrics/families.h"

namespace sluice::metrics {
namespace {

std::string word(config::Protocol protocol) {
  return std::string(config::name_of(protocol));
}

// --- as rtsp-simple-server has them ---

void add_paths(const Facts &facts, Families &out) {
  out.begin_gauge("paths", "Paths that there are.");
  for (const auto &[path, ready] : facts.paths)
    out.add({{"name", printable(path)}, {"state", ready ? "ready" : "notReady"}}, 1);
}

void add_sessions(const Facts &facts, Families &out) {
  for (const SessionFacts &sessions : facts.sessions) {
    bool connections = sessions.family.ends_with("conns");
    out.begin_gauge(sessions.family, connections ? "Connections by what they do." : "Sessions by what they do.");
    out.add({{"state", "idle"}}, static_cast<double>(sessions.idle));
    out.add({{"state", "read"}}, static_cast<double>(sessions.reading));
    out.add({{"state", "publish"}}, static_cast<double>(sessions.publishing));
  }
}

void add_muxers(const Facts &facts, Families &out) {
  if (!facts.hls) return;
  out.begin_gauge("hls_muxers", "Streams that are made into HLS.");
  for (const auto &[path, bytes] : facts.muxers) out.add({{"name", printable(path)}}, 1);
  out.begin_gauge("sluice_hls_segment_bytes", "Memory of a stream's segments.");
  for (const auto &[path, bytes] : facts.muxers) out.add({{"path", printable(path)}}, static_cast<double>(bytes));
}

// --- what flows ---

struct TrafficFamily {
  const char *name, *help;
  uint64_t Traffic::*value;
};
constexpr TrafficFamily kTraffic[] = {
    {"received_bytes_total", "Media from publishers and sources.", &Traffic::bytes_in},
    {"sent_bytes_total", "Media to readers.", &Traffic::bytes_out},
    {"received_packets_total", "RTP packets, RTMP messages and samples of HLS sources.", &Traffic::packets_in},
    {"sent_packets_total", "RTP packets, RTMP messages and answers of HLS.", &Traffic::packets_out},
    {"lost_packets_total", "Packets that never came from publishers and sources.", &Traffic::lost},
    {"dropped_packets_total", "Packets that readers did not get.", &Traffic::dropped},
    {"ring_laps_total", "How often readers were so slow that the ring overtook them.", &Traffic::laps},
};

void add_traffic(const Facts &facts, Families &out) {
  for (const TrafficFamily &family : kTraffic) {
    out.begin_counter(std::string("sluice_") + family.name, family.help);
    for (config::Protocol protocol : config::kProtocols)
      if (facts.protocols[protocol])
        out.add({{"protocol", word(protocol)}}, static_cast<double>(facts.totals[protocol].*family.value));
    out.begin_counter(std::string("sluice_path_") + family.name, std::string(family.help) + " By path.");
    for (config::Protocol protocol : config::kProtocols)
      for (const auto &[path, traffic] : facts.traffic[protocol])
        if (traffic != Traffic{}) // of protocols that nobody uses there
          out.add({{"protocol", word(protocol)}, {"path", printable(path)}},
                  static_cast<double>(traffic.*family.value));
  }
  out.begin_gauge("sluice_path_jitter_seconds", "Of the arrival of the publisher's packets.");
  for (config::Protocol protocol : config::kProtocols)
    for (const auto &[path, traffic] : facts.traffic[protocol])
      if (traffic.jitter_us != 0)
        out.add({{"protocol", word(protocol)}, {"path", printable(path)}}, traffic.jitter_us / 1e6);
}

void add_rings(const Facts &facts, Families &out) {
  out.begin_gauge("sluice_ring_capacity_bytes", "Of the memory that a stream's packets stand in.");
  for (const RingFacts &ring : facts.rings)
    out.add({{"path", printable(ring.path)}}, static_cast<double>(ring.capacity_bytes));
  out.begin_gauge("sluice_ring_unread_ratio",
                  "What the slowest RTSP reader is still to be sent, of what the ring holds.");
  for (const RingFacts &ring : facts.rings) out.add({{"path", printable(ring.path)}}, ring.unread);
}

// --- processes ---

template <class F> void add_of_workers(const Facts &facts, Families &out, F &&value) {
  for (const WorkerFacts &worker : facts.workers)
    out.add({{"worker", worker.name}}, static_cast<double>(value(worker)));
}

void add_workers(const Facts &facts, Families &out) {
  out.begin_gauge("sluice_worker_up", "1 if the slot has a worker that serves.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.serves ? 1 : 0; });
  out.begin_counter("sluice_worker_restarts_total", "Workers that were replaced.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.restarts; });
  out.begin_counter("sluice_worker_cpu_seconds_total", "Processor time of the slot's worker.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.cpu_seconds; });
  out.begin_gauge("sluice_worker_memory_bytes", "Resident memory of the worker alone; shared media does not count.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.memory_bytes; });
  out.begin_counter("sluice_accepted_connections_total", "Connections of clients.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.accepted; });
  out.begin_counter("sluice_refused_connections_total",
                    "Connections that were turned away: maxSessions, or descriptors.");
  add_of_workers(facts, out, [](const WorkerFacts &worker) { return worker.refused; });
  out.begin_histogram("sluice_control_round_trip_seconds", "How long a worker takes to answer the supervisor.");
  for (const WorkerFacts &worker : facts.workers) out.add({{"worker", worker.name}}, worker.round_trips);
  out.begin_counter("sluice_resumed_sessions_total",
                    "Streams and muxers that went on with another worker, publisher or source.");
  out.add({}, static_cast<double>(facts.resumed));
  out.begin_counter("sluice_supervisor_cpu_seconds_total", "Processor time of the supervisor.");
  out.add({}, facts.cpu_seconds);
  out.begin_gauge("sluice_supervisor_memory_bytes", "Resident memory of the supervisor alone.");
  out.add({}, static_cast<double>(facts.memory_bytes));
}

void add_answers(const Facts &facts, Families &out) {
  if (!facts.hls) return;
  std::array<uint64_t, shm::kCountedStatuses.size()> sums{};
  for (const WorkerFacts &worker : facts.workers)
    for (size_t i = 0; worker.protocol == config::Protocol::Hls && i < sums.size(); i++) sums[i] += worker.answers[i];
  out.begin_counter("sluice_hls_requests_total", "Requests to the HLS server, by the status of the answer.");
  for (size_t i = 0; i < sums.size(); i++) {
    uint16_t status = shm::kCountedStatuses[i];
    out.add({{"code", status == 0 ? "other" : std::to_string(status)}}, static_cast<double>(sums[i]));
  }
}

// --- decisions ---

void add_decisions(const Facts &facts, Families &out) {
  out.begin_counter("sluice_authentications_total", "Verdicts on clients that want to publish or read.");
  out.add({{"result", "accepted"}}, static_cast<double>(facts.accepted));
  out.add({{"result", "refused"}}, static_cast<double>(facts.refused));
  out.begin_histogram("sluice_external_authentication_seconds", "How long the external server took to answer.");
  out.add({}, facts.external);
  out.begin_counter("sluice_external_authentication_failures_total",
                    "Questions that it did not answer, or not in time.");
  out.add({}, static_cast<double>(facts.external_failures));
  out.begin_counter("sluice_hook_runs_total", "Commands that were started.");
  for (const HookFacts &hook : facts.hooks) out.add({{"hook", hook.hook}}, static_cast<double>(hook.started));
  out.begin_counter("sluice_hook_failures_total",
                    "Commands that could not be started, or exited with another code than 0.");
  for (const HookFacts &hook : facts.hooks) out.add({{"hook", hook.hook}}, static_cast<double>(hook.failed));
  out.begin_gauge("sluice_hook_commands", "Commands that are running.");
  out.add({}, static_cast<double>(facts.commands));
  out.begin_counter("sluice_configuration_reloads_total", "Changes of the configuration.");
  out.add({{"result", "applied"}}, static_cast<double>(facts.reloads));
  out.add({{"result", "refused"}}, static_cast<double>(facts.failed_reloads));
}

} // namespace

std::string render(const Facts &facts) {
  Families out;
  add_paths(facts, out);
  add_sessions(facts, out);
  add_muxers(facts, out);
  out.begin_gauge("sluice_build_info", "1, of this version.");
  out.add({{"version", facts.version}}, 1);
  add_traffic(facts, out);
  add_rings(facts, out);
  add_workers(facts, out);
  add_answers(facts, out);
  add_decisions(facts, out);
  return out.text();
}

} // namespace sluice::metrics
