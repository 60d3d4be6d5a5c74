#include "supervisor/path_rules.h"

namespace sluice {
namespace {

control::SourceTransport transport_of(config::SourceProtocol protocol) {
  switch (protocol) {
  case config::SourceProtocol::Automatic:
    return control::SourceTransport::Automatic;
  case config::SourceProtocol::Udp:
    return control::SourceTransport::Udp;
  case config::SourceProtocol::Multicast:
    return control::SourceTransport::Multicast;
  case config::SourceProtocol::Tcp:
    break;
  }
  return control::SourceTransport::Tcp;
}

paths::CommandRule command(const std::string &text, bool restart) {
  return {text, restart};
}

} // namespace

paths::PathRules path_rules(config::PathMatcher::Match match, const config::Configuration &configuration) {
  const config::PathConfiguration &path = *match.path;
  paths::PathRules rules;
  rules.entry = path.name;
  rules.permanent = !path.is_regex();
  rules.source = path.source == "redirect"    ? paths::SourceKind::Redirect
                 : path.source == "publisher" ? paths::SourceKind::Publisher
                                              : paths::SourceKind::Pulled;
  rules.redirect = path.source_redirect;
  bool pulled = rules.source == paths::SourceKind::Pulled;
  if (pulled)
    rules.pull = {path.source, transport_of(path.source_protocol), path.source_any_port_enable,
                  path.source_fingerprint};
  rules.pull_on_demand = pulled && path.source_on_demand;
  rules.reconnect_grace = path.source_reconnect_grace;
  rules.publisher_override = !path.disable_publisher_override;
  rules.fallback = path.fallback;
  rules.on_init = command(path.run_on_init, path.run_on_init_restart);
  rules.on_demand = command(path.run_on_demand, path.run_on_demand_restart);
  rules.on_ready = command(path.run_on_ready, path.run_on_ready_restart);
  rules.on_read = command(path.run_on_read, path.run_on_read_restart);
  rules.groups = std::move(match.groups);
  rules.start_timeout = pulled ? path.source_on_demand_start_timeout : path.run_on_demand_start_timeout;
  rules.close_after = pulled ? path.source_on_demand_close_after : path.run_on_demand_close_after;
  rules.restart_grace = configuration.worker_restart_grace;
  rules.write_coalesce = path.write_coalesce;
  rules.write_merge = path.write_merge;
  rules.absolute_time = path.use_absolute_timestamp;
  rules.readers_start_at_key_frame = path.reader_start == config::ReaderStart::Keyframe;
  return rules;
}

} // namespace sluice
