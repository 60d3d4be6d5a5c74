// What the person who runs the server sees of it and can do to it over HTTP: its listeners, and what they ask for, from
// whoever knows it. The loop, the host, and what the host names outlive it.
#pragma once

#include "supervisor/api/api.h"
#include "supervisor/health.h"
#include "supervisor/http_endpoint.h"
#include "supervisor/metrics/metrics.h"
#include "supervisor/metrics/traffic_ledger.h"
#include "supervisor/sessions.h"

namespace sluice {

class Gate;
class HookRunner;
class Workers;
namespace processes {
class Rings;
}

class Operations : api::Backend, Health, HttpEndpoint::Handler {
public:
  struct Host {
    virtual const config::Configuration &configuration() const = 0;
    // Error: why not; nothing has changed then.
    virtual Result<void> change_configuration(config::Configuration next) = 0;
    virtual bool stopping() const = 0;

  protected:
    ~Host() = default;
  };

  // Who knows what is shown.
  struct Sources {
    Workers &workers;
    const paths::Paths &paths;
    const Muxers &muxers;
    const processes::Rings &rings;
    const Gate &gate;
    const HookRunner &hooks;
  };
  Operations(loop::Loop &loop, Host &host, const Sources &sources);

  // What a configuration needs beyond what there is.
  struct Opened {
    HttpEndpoint::Opened api, metrics;
  };
  Result<Opened> open(const config::Configuration &next) const;
  void apply(Opened opened, const config::Configuration &next);
  void stop();
  std::string why_not_ready() const override;

  void on_session_ended(uint16_t slot, const control::Release &release);
  void on_worker_gone(uint16_t slot); // before its sessions are forgotten
  void count_reload(bool applied) { (applied ? reloads_ : failed_reloads_)++; }

private:
  void on_request(HttpEndpoint &endpoint, const HttpEndpoint::Key &key, http::Request request) override;

  Nanoseconds now() const override { return loop_.now(); }
  const config::Configuration &configuration() const override { return host_.configuration(); }
  Result<void> change_configuration(config::Configuration next) override;
  std::vector<paths::PathInfo> paths() const override { return paths_.list(); }
  std::map<paths::StreamId, Traffic> traffic() const override { return sessions_.by_stream(); }
  std::vector<Muxers::Info> muxers() const override { return muxers_.list(); }
  std::vector<SessionInfo> sessions(config::Protocol protocol, bool tls) const override;
  bool kick(config::Protocol protocol, bool tls, uint32_t log_id) override;
  std::vector<api::WorkerInfo> workers() const override;
  bool restart_worker(std::string_view name) override;

  http::Response answer_metrics(const http::Request &request);
  metrics::Facts facts();
  void add_sessions(metrics::Facts &facts) const;
  void add_traffic(metrics::Facts &facts);
  void add_rings(metrics::Facts &facts) const;
  void add_workers(metrics::Facts &facts) const;
  void add_decisions(metrics::Facts &facts) const;

  loop::Loop &loop_;
  Host &host_;
  Workers &workers_;
  const paths::Paths &paths_;
  const Muxers &muxers_;
  const processes::Rings &rings_;
  const Gate &gate_;
  const HookRunner &hooks_;
  Sessions sessions_;
  metrics::TrafficLedger ledger_;
  uint64_t reloads_ = 0, failed_reloads_ = 0;
  api::Api api_;
  HttpEndpoint api_endpoint_, metrics_endpoint_;
};

} // namespace sluice
