#include "house.h"

#include "supervisor/processes/family.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::hooks {
namespace {

std::string content(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

config::Environment server_environment() {
  config::Environment environment = config::process_environment();
  environment["FROM_SERVER"] = "inherited";
  environment["RTSP_CONFKEY"] = "secret";
  environment["RTSP_APIPASS"] = "secret";
  environment["RTSP_PATHS_CAM_SOURCE"] = "rtsp://u:secret@h";
  environment["RTSP_PATH"] = "the server's";
  return environment;
}

} // namespace

void Lines::write(LogLevel level, std::string_view message) {
  constexpr const char *kNames[] = {"DEB ", "INF ", "WAR ", "ERR "};
  lines.push_back(kNames[static_cast<size_t>(level)] + std::string(message));
}

bool exists(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

std::set<pid_t> children(const std::string &of) {
  std::set<pid_t> pids;
  std::error_code error;
  for (const auto &task : std::filesystem::directory_iterator("/proc/" + of + "/task", error)) {
    std::ifstream list(task.path() / "children");
    for (pid_t pid = 0; list >> pid;) pids.insert(pid);
  }
  return pids;
}

bool has_child(pid_t parent, const std::string &name) {
  for (pid_t pid : children(std::to_string(parent)))
    if (content("/proc/" + std::to_string(pid) + "/comm") == name + "\n") return true;
  return false;
}

size_t descriptor_count() {
  std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

House::House() : former_folder_(std::filesystem::current_path()), reaper_(loop_) {
  processes::adopt_orphans();
  set_log(&log, LogLevel::Info);
  char name[] = "/tmp/sluice-hooks-XXXXXX";
  folder_ = ::mkdtemp(name);
  std::filesystem::current_path(folder_);
  restart_with(kOptions);
}

House::~House() {
  commands.reset();
  run_until([] { return children().empty(); }, kSecond);
  set_log(nullptr, LogLevel::Info);
  std::filesystem::current_path(former_folder_);
  std::filesystem::remove_all(folder_);
}

void House::restart_with(const CommandOptions &options) {
  commands = std::make_unique<Commands>(loop_, reaper_, server_environment(), *this, options);
}

CommandId House::start(const std::string &command, bool restart) {
  Variables variables = hook_variables("cam", "8554", {"one", "out"});
  return commands->start({"runOnReady", "[path cam]", command, variables, restart});
}

bool House::run_until(const std::function<bool()> &condition, Nanoseconds limit) {
  for (Nanoseconds end = monotonic_now() + limit; monotonic_now() < end; ::usleep(200)) {
    uv_run(loop_.raw(), UV_RUN_NOWAIT);
    if (condition()) return true;
  }
  return false;
}

void House::run_for(Nanoseconds duration) {
  run_until([] { return false; }, duration);
  uv_run(loop_.raw(), UV_RUN_NOWAIT);
}

bool House::has(const std::string &name) const {
  return !content(name).empty();
}

std::string House::file(const std::string &name) const {
  return content(name);
}

pid_t House::pid(const std::string &name) const {
  return std::atoi(content(name).c_str());
}

void House::on_command_exited(CommandId id, int code) {
  exits.emplace_back(id, code);
  if (on_exit) on_exit(id);
}

} // namespace sluice::hooks
