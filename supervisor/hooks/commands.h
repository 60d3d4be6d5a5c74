// All external commands of the server. Whoever wants a hook's command starts it, keeps the id and stops it; what
// comes after that, SIGINT, the wait, SIGKILL, is done here whether or not the owner is still there. The supervisor
// owns the one registry. Loop, reaper and listener outlive it; the process adopts orphans (family.h), so that the
// reaper also collects what a command's leader leaves behind.
#pragma once

#include "common/loop/loop.h"
#include "supervisor/hooks/environment.h"
#include "supervisor/hooks/process_group.h"
#include "supervisor/processes/reaper.h"

#include <map>
#include <string>
#include <vector>

namespace sluice::hooks {

enum class CommandId : uint64_t { None };

struct CommandSpec {
  std::string hook;    // "runOnReady"
  std::string prefix;  // of the log lines: "[path x]", "[RTSP] [conn 1.2.3.4:5]"
  std::string command; // as configured
  Variables variables; // see hook_variables
  bool restart = false;
};

struct CommandOptions {
  Nanoseconds restart_after = 5 * kSecond; // since the exit
  Nanoseconds kill_after = 5 * kSecond;    // since SIGINT
  Nanoseconds give_up_after = kSecond;     // since SIGKILL, when the server leaves
  Nanoseconds look_every = 50 * kMillisecond;
  size_t max_commands = 4096; // process groups under way and commands that wait for their restart
};

class Commands : loop::Timer::Listener, processes::Reaper::Listener {
public:
  // Called from the loop only, never from within start() or stop(). May call back, but not destroy.
  struct Listener {
    virtual ~Listener() = default;
    // By itself; `code`: its exit status, -1 if a signal killed it, 0 if it could not be started. It starts again
    // if its spec says so. Not called after stop().
    virtual void on_command_exited(CommandId id, int code) = 0;
    // Once, after stop_all(): nothing is left, or what is left can't be ended.
    virtual void on_commands_idle() = 0;
  };

  // `server`: the server's environment, as it is.
  Commands(loop::Loop &loop, processes::Reaper &reaper, const config::Environment &server, Listener &listener,
           const CommandOptions &options = {});
  // Kills what is left and waits for it, a second at most.
  ~Commands() override;
  Commands(const Commands &) = delete;
  Commands &operator=(const Commands &) = delete;

  // Each id is given to stop() once, also when its command has ended: until then a small record is kept. None, with
  // a line in the log: too many commands. None also after stop_all().
  CommandId start(CommandSpec spec);
  // Not wanted any more; returns at once. Nothing for None and for ids that are not known (any more).
  void stop(CommandId id);

  // For the server's end: stops all, starts nothing any more. on_commands_idle() follows within kill_after +
  // give_up_after.
  void stop_all();
  // SIGKILL to all at once; use after stop_all(), when asked to hurry.
  void kill_all();
  bool idle() const { return groups_.empty(); }
  // Of each hook, since the start.
  struct Runs {
    uint64_t started = 0, failed = 0; // failed: could not be started, or ended by itself other than with 0
  };
  const std::map<std::string, Runs> &runs() const { return runs_; }
  size_t running() const { return groups_.size(); } // process groups under way, those that are being ended included

private:
  struct Hook {
    CommandSpec spec;
    pid_t leader = 0; // key of its group; 0: none is under way
  };
  struct Group {
    ProcessGroup processes;
    CommandId owner = CommandId::None; // None: nobody waits for the group's end
    Nanoseconds kill_at = 0;           // 0: not interrupted
    bool killed = false;
  };
  using Groups = std::map<pid_t, Group>;

  void on_timer(loop::Timer &timer) override;
  void on_child_gone(pid_t pid, int status) override;

  bool launch(CommandId id, Hook &hook);
  Result<pid_t> launch_process(const CommandSpec &spec) const;
  void refuse(const CommandSpec &spec);
  void on_exit(CommandId id, int code);
  void interrupt(Group &group);
  void kill(Group &group);
  Groups::iterator remove(Groups::iterator group);
  void look_after_groups(Nanoseconds now);
  void restart_due(Nanoseconds now);
  void tell_if_idle(Nanoseconds now);
  void wake_at(Nanoseconds time);
  void schedule(Nanoseconds now);

  loop::Loop &loop_;
  processes::Reaper &reaper_;
  Listener &listener_;
  CommandOptions options_;
  config::Environment environment_; // without credentials

  uint64_t last_id_ = 0;
  std::map<std::string, Runs> runs_;         // by hook: there are five
  std::map<CommandId, Hook> hooks_;          // started and not stopped
  Groups groups_;                            // by leader; max_commands at most
  std::map<CommandId, Nanoseconds> resting_; // when to start again; max_commands at most
  std::vector<CommandId> failed_;            // could not be started, which is told in the next turn

  loop::Timer timer_;
  Nanoseconds wake_at_ = 0; // of the timer, if it is active
  Nanoseconds refusal_logged_at_ = 0;
  size_t refusals_ = 0; // since then
  bool stopping_ = false, told_idle_ = false;
  Nanoseconds give_up_at_ = 0;
};

} // namespace sluice::hooks
