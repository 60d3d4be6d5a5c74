// Runs the commands that paths and connections ask for. Loop and reaper outlive it.
#pragma once

#include "ipc/control/messages.h"
#include "supervisor/config/configuration.h"
#include "supervisor/hooks/commands.h"
#include "supervisor/paths/events.h"

#include <map>
#include <utility>

namespace sluice {

class HookRunner : hooks::Commands::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_hooks_idle() = 0; // after stop_all()
  };

  HookRunner(loop::Loop &loop, processes::Reaper &reaper, const config::Environment &environment, Listener &listener);

  // Of runOnConnect what changed is replaced for those that are connected.
  void configure(const config::Configuration &configuration);

  void run(const paths::RunCommand &command);
  void end(paths::CommandNumber number);

  void on_connected(uint16_t slot, config::Protocol protocol, const control::Connected &connected);
  void on_closed(uint16_t slot, uint64_t connection);
  void on_worker_gone(uint16_t slot);

  void stop_all();
  void kill_all() { commands_.kill_all(); }
  bool idle() const { return commands_.idle(); }
  const hooks::Commands &commands() const { return commands_; }

private:
  using ConnectionKey = std::pair<uint16_t, uint64_t>; // slot, connection
  struct Connected {
    std::string prefix; // of its log lines
    hooks::CommandId command = hooks::CommandId::None;
  };

  void on_command_exited(hooks::CommandId, int) override {} // told in the log, started again by its spec
  void on_commands_idle() override { listener_.on_hooks_idle(); }
  hooks::CommandId start_for_connection(const std::string &prefix);

  Listener &listener_;
  hooks::Commands commands_;
  std::string rtsp_port_;
  std::string run_on_connect_;
  bool run_on_connect_restart_ = false;
  std::map<paths::CommandNumber, hooks::CommandId> of_paths_;
  std::map<ConnectionKey, Connected> connections_; // while runOnConnect is configured
};

} // namespace sluice
