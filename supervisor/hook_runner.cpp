#include "supervisor/hook_runner.h"

#include "ipc/shm/session_table.h"
#include "supervisor/config/addresses.h"

#include <fmt/format.h>

namespace sluice {
namespace {

const char *name_of(paths::Hook hook) {
  switch (hook) {
  case paths::Hook::OnInit:
    return "runOnInit";
  case paths::Hook::OnDemand:
    return "runOnDemand";
  case paths::Hook::OnReady:
    return "runOnReady";
  case paths::Hook::OnRead:
    return "runOnRead";
  }
  return "";
}

// RTMP has no sessions beside connections.
std::string prefix_of(const paths::Client &client) {
  std::string_view label = config::label_of(client.protocol, client.tls);
  if (client.protocol == config::Protocol::Rtmp) return fmt::format("[{}] [conn {}]", label, client.address);
  return fmt::format("[{}] [session {}]", label, client.log_id);
}

} // namespace

HookRunner::HookRunner(loop::Loop &loop, processes::Reaper &reaper, const config::Environment &environment,
                       Listener &listener)
    : listener_(listener), commands_(loop, reaper, environment, *this) {}

void HookRunner::configure(const config::Configuration &configuration) {
  auto address = config::parse_listen_address(configuration.rtsp_address);
  rtsp_port_ = address ? std::to_string(address->port) : "";
  bool changed = run_on_connect_ != configuration.run_on_connect ||
                 run_on_connect_restart_ != configuration.run_on_connect_restart;
  run_on_connect_ = configuration.run_on_connect;
  run_on_connect_restart_ = configuration.run_on_connect_restart;
  if (!changed) return;
  for (auto &[key, connected] : connections_) {
    commands_.stop(connected.command);
    connected.command = start_for_connection(connected.prefix);
  }
  if (run_on_connect_.empty()) connections_.clear();
}

void HookRunner::run(const paths::RunCommand &command) {
  hooks::CommandSpec spec;
  spec.hook = name_of(command.hook);
  spec.prefix =
      command.hook == paths::Hook::OnRead ? prefix_of(command.client) : fmt::format("[path {}]", command.path);
  spec.command = command.rule.command;
  spec.variables = hooks::hook_variables(command.path, rtsp_port_, command.groups);
  spec.restart = command.rule.restart;
  of_paths_[command.number] = commands_.start(std::move(spec));
}

void HookRunner::end(paths::CommandNumber number) {
  auto found = of_paths_.find(number);
  if (found == of_paths_.end()) return;
  commands_.stop(found->second);
  of_paths_.erase(found);
}

hooks::CommandId HookRunner::start_for_connection(const std::string &prefix) {
  if (run_on_connect_.empty()) return hooks::CommandId::None;
  hooks::CommandSpec spec;
  spec.hook = "runOnConnect";
  spec.prefix = prefix;
  spec.command = run_on_connect_;
  spec.variables = hooks::hook_variables("", rtsp_port_, {});
  spec.restart = run_on_connect_restart_;
  return commands_.start(std::move(spec));
}

// One that was handed over keeps its command.
void HookRunner::on_connected(uint16_t slot, config::Protocol protocol, const control::Connected &connected) {
  ConnectionKey former{shm::slot_of_session(connected.token), connected.token >> shm::kSlotBits};
  auto moved = connected.token == 0 ? connections_.end() : connections_.find(former);
  if (moved != connections_.end()) {
    auto node = connections_.extract(moved);
    node.key() = {slot, connected.connection};
    connections_.insert(std::move(node));
    return;
  }
  std::string prefix = fmt::format("[{}] [conn {}]", config::label_of(protocol, connected.tls), connected.client);
  connections_[{slot, connected.connection}] = {prefix, start_for_connection(prefix)};
}

void HookRunner::on_closed(uint16_t slot, uint64_t connection) {
  auto found = connections_.find({slot, connection});
  if (found == connections_.end()) return;
  commands_.stop(found->second.command);
  connections_.erase(found);
}

void HookRunner::on_worker_gone(uint16_t slot) {
  for (auto it = connections_.lower_bound({slot, 0}); it != connections_.end() && it->first.first == slot;) {
    commands_.stop(it->second.command);
    it = connections_.erase(it);
  }
}

void HookRunner::stop_all() {
  commands_.stop_all();
}

} // namespace sluice
