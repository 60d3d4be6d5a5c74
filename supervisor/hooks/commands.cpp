#include "supervisor/hooks/commands.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "supervisor/hooks/launch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace sluice::hooks {
namespace {

constexpr Nanoseconds kRefusalSpacing = kSecond;      // between log lines
constexpr Nanoseconds kDestructionLimit = kSecond;    // for killed processes to end
constexpr Nanoseconds kLongestSleep = 3600 * kSecond; // of the timer; beyond it, it is set again

std::string name_of(const CommandSpec &spec) {
  return spec.prefix.empty() ? spec.hook : spec.prefix + " " + spec.hook;
}

} // namespace

Commands::Commands(loop::Loop &loop, processes::Reaper &reaper, const config::Environment &server, Listener &listener,
                   const CommandOptions &options)
    : loop_(loop), reaper_(reaper), listener_(listener), options_(options), environment_(without_credentials(server)),
      timer_(loop, *this) {}

Commands::~Commands() {
  for (auto &[leader, group] : groups_) {
    reaper_.forget(leader);
    group.processes.signal(SIGKILL);
  }
  for (Nanoseconds end = monotonic_now() + kDestructionLimit; !groups_.empty() && monotonic_now() < end;) {
    std::erase_if(groups_, [](auto &entry) {
      auto &[leader, group] = entry;
      return !group.processes.has_leader() || ::waitpid(leader, nullptr, WNOHANG) != 0;
    });
    if (!groups_.empty()) ::usleep(1000);
  }
}

CommandId Commands::start(CommandSpec spec) {
  if (stopping_) return CommandId::None;
  if (groups_.size() + resting_.size() >= options_.max_commands) {
    refuse(spec);
    return CommandId::None;
  }
  CommandId id{++last_id_};
  Hook &hook = hooks_[id];
  hook.spec = std::move(spec);
  log(LogLevel::Info, "{} command started", name_of(hook.spec));
  launch(id, hook);
  return id;
}

void Commands::refuse(const CommandSpec &spec) {
  Nanoseconds now = loop_.now();
  if (refusal_logged_at_ != 0 && now - refusal_logged_at_ < kRefusalSpacing) {
    refusals_++;
    return;
  }
  std::string more = refusals_ == 0 ? "" : fmt::format("; {} more were not started before", refusals_);
  log(LogLevel::Warn, "{} command is not started, since {} commands are under way already{}", name_of(spec),
      options_.max_commands, more);
  refusal_logged_at_ = now;
  refusals_ = 0;
}

bool Commands::launch(CommandId id, Hook &hook) {
  auto pid = launch_process(hook.spec);
  Runs &runs = runs_[hook.spec.hook];
  runs.started++;
  if (!pid) {
    runs.failed++;
    log(LogLevel::Warn, "{} command can't be started ({}): {}", name_of(hook.spec), first_word(hook.spec.command),
        pid.error().message);
    failed_.push_back(id);
    wake_at(loop_.now());
    return false;
  }
  // A number that is given anew: the group that had it has ended, unnoticed yet.
  if (auto former = groups_.find(*pid); former != groups_.end()) {
    remove(former);
    wake_at(loop_.now()); // for a restart that waited for it
  }
  groups_.emplace(*pid, Group{.processes = ProcessGroup(*pid), .owner = id});
  hook.leader = *pid;
  reaper_.watch(*pid, *this);
  return true;
}

Result<pid_t> Commands::launch_process(const CommandSpec &spec) const {
  std::vector<std::string> words = TRY(parse_command(spec.command, spec.variables));
  return hooks::launch(words, command_environment(environment_, spec.variables));
}

void Commands::stop(CommandId id) {
  auto found = hooks_.find(id);
  if (found == hooks_.end()) return;
  log(LogLevel::Info, "{} command stopped", name_of(found->second.spec));
  auto group = groups_.find(found->second.leader);
  hooks_.erase(found);
  resting_.erase(id);
  std::erase(failed_, id);
  if (group == groups_.end()) return;
  group->second.owner = CommandId::None;
  interrupt(group->second);
}

void Commands::stop_all() {
  stopping_ = true;
  while (!hooks_.empty()) stop(hooks_.begin()->first);
  give_up_at_ = loop_.now() + options_.kill_after + options_.give_up_after;
  wake_at(loop_.now());
}

void Commands::kill_all() {
  for (auto &[leader, group] : groups_) kill(group);
  give_up_at_ = loop_.now() + options_.give_up_after;
  wake_at(loop_.now() + options_.look_every);
}

// Once for each group: some programs take a second SIGINT for an order to leave at once.
void Commands::interrupt(Group &group) {
  if (group.kill_at != 0) return;
  group.processes.signal(SIGINT);
  group.kill_at = loop_.now() + options_.kill_after;
  wake_at(group.kill_at);
}

void Commands::kill(Group &group) {
  group.processes.signal(SIGKILL);
  group.killed = true;
}

Commands::Groups::iterator Commands::remove(Groups::iterator group) {
  if (auto hook = hooks_.find(group->second.owner); hook != hooks_.end()) hook->second.leader = 0;
  return groups_.erase(group);
}

void Commands::on_child_gone(pid_t pid, int status) {
  auto found = groups_.find(pid);
  CHECK(found != groups_.end());
  Group &group = found->second;
  CommandId owner = group.owner;
  group.processes.leader_gone();
  if (group.processes.exists()) {
    interrupt(group); // what the leader left behind
    wake_at(loop_.now() + options_.look_every);
  } else {
    remove(found);
  }
  if (owner != CommandId::None) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code != 0) runs_[hooks_.at(owner).spec.hook].failed++;
    on_exit(owner, code);
  }
  tell_if_idle(loop_.now());
}

void Commands::on_exit(CommandId id, int code) {
  CommandSpec &spec = hooks_.at(id).spec;
  log(LogLevel::Info, "{} command exited with code {}", name_of(spec), code);
  if (spec.restart) {
    Nanoseconds due = loop_.now() + options_.restart_after;
    resting_[id] = due;
    wake_at(due);
  } else {
    spec.command = {};
    spec.variables = {};
  }
  listener_.on_command_exited(id, code);
}

void Commands::on_timer(loop::Timer &) {
  Nanoseconds now = loop_.now();
  look_after_groups(now);
  for (CommandId id : std::exchange(failed_, {}))
    if (hooks_.contains(id)) on_exit(id, 0);
  restart_due(now);
  schedule(now);
  tell_if_idle(now);
}

void Commands::look_after_groups(Nanoseconds now) {
  for (auto group = groups_.begin(); group != groups_.end();) {
    // Again at each look: a process may have joined the group since.
    if (group->second.killed || (group->second.kill_at != 0 && now >= group->second.kill_at)) kill(group->second);
    group = group->second.processes.exists() ? std::next(group) : remove(group);
  }
}

void Commands::restart_due(Nanoseconds now) {
  std::vector<CommandId> due;
  for (const auto &[id, time] : resting_)
    if (time <= now && hooks_.at(id).leader == 0) due.push_back(id);
  for (CommandId id : due) {
    resting_.erase(id);
    Hook &hook = hooks_.at(id);
    if (launch(id, hook)) log(LogLevel::Info, "{} command restarted", name_of(hook.spec));
  }
}

void Commands::tell_if_idle(Nanoseconds now) {
  if (!stopping_ || told_idle_) return;
  if (!groups_.empty()) {
    if (now < give_up_at_) return;
    log(LogLevel::Warn, "{} external commands can't be ended", groups_.size());
  }
  told_idle_ = true;
  if (groups_.empty()) timer_.stop();
  listener_.on_commands_idle();
}

void Commands::wake_at(Nanoseconds time) {
  if (timer_.active() && wake_at_ <= time) return;
  wake_at_ = time;
  timer_.start(std::clamp<Nanoseconds>(time - loop_.now(), 0, kLongestSleep));
}

void Commands::schedule(Nanoseconds now) {
  for (const auto &[leader, group] : groups_) {
    if (!group.processes.has_leader()) wake_at(now + options_.look_every);
    if (group.kill_at != 0 && !group.killed) wake_at(group.kill_at);
  }
  for (const auto &[id, time] : resting_)
    if (hooks_.at(id).leader == 0) wake_at(time);
  if (!failed_.empty()) wake_at(now);
  if (stopping_ && !told_idle_) wake_at(give_up_at_);
}

} // namespace sluice::hooks
