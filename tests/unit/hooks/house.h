// A registry of commands on a loop of its own, in a folder of its own, with pauses of milliseconds.
#pragma once

#include "common/base/log.h"
#include "supervisor/hooks/commands.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sluice::hooks {

class Lines : public LogSink {
public:
  void write(LogLevel level, std::string_view message) override;
  std::vector<std::string> lines; // "INF ...", "WAR ..."
};

bool exists(pid_t pid); // as a zombie, too
std::set<pid_t> children(const std::string &of = "self");
bool has_child(pid_t parent, const std::string &name);
size_t descriptor_count();

class House : public Commands::Listener {
public:
  static constexpr CommandOptions kOptions{
      .restart_after = 20 * kMillisecond, .kill_after = 300 * kMillisecond, .look_every = kMillisecond};

  House();
  ~House() override;
  void restart_with(const CommandOptions &options);

  // With prefix "[path cam]", RTSP_PATH=cam, RTSP_PORT=8554, G1=one, G2=out.
  CommandId start(const std::string &command, bool restart = false);
  bool run_until(const std::function<bool()> &condition, Nanoseconds limit = 10 * kSecond);
  void run_for(Nanoseconds duration);

  // Of the house's folder, which is the working directory.
  bool has(const std::string &name) const; // and is written
  std::string file(const std::string &name) const;
  pid_t pid(const std::string &name) const;

  void on_command_exited(CommandId id, int code) override;
  void on_commands_idle() override { idles++; }

  Lines log;
  std::vector<std::pair<CommandId, int>> exits;
  int idles = 0;
  std::function<void(CommandId)> on_exit;

private:
  std::string folder_;
  std::string former_folder_;
  loop::Loop loop_;
  processes::Reaper reaper_;

public:
  std::unique_ptr<Commands> commands;
};

} // namespace sluice::hooks
