#include "common/loop/tls.h"
#include "supervisor/config/command_line.h"
#include "supervisor/logs/logs.h"
#include "supervisor/processes/family.h"
#include "supervisor/processes/keeper.h"
#include "supervisor/processes/process_title.h"
#include "supervisor/processes/spawn.h"
#include "supervisor/readiness.h"
#include "supervisor/supervisor.h"
#include "workers/hls/worker.h"
#include "workers/rtmp/worker.h"
#include "workers/rtsp/worker.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

namespace {

using namespace sluice;

[[noreturn]] void keep(std::string_view slot) {
  if (slot.starts_with("rtsp-")) processes::run_keeper(slot, rtsp::run_worker);
  if (slot.starts_with("rtmp-")) processes::run_keeper(slot, rtmp::run_worker);
  if (slot.starts_with("hls-")) processes::run_keeper(slot, hls::run_worker);
  ::_exit(1);
}

int print(const config::Report &report) {
  std::fputs(report.standard_error.c_str(), stderr);
  bool written = std::fwrite(report.standard_output.data(), 1, report.standard_output.size(), stdout) ==
                     report.standard_output.size() &&
                 std::fflush(stdout) == 0;
  return written ? report.exit_status : 1;
}

void prepare_process() {
  processes::set_title(processes::kSupervisorTitle);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  processes::ignore_broken_pipes();
  processes::adopt_orphans();
  processes::raise_descriptor_limit();
  processes::set_oom_score(processes::kOomKeep);
}

int serve(const std::optional<std::string> &configuration_file) {
  config::Environment environment = config::process_environment();
  ::setenv("UV_THREADPOOL_SIZE", "16", 0); // names of sources are looked up there, hashes computed; not for commands
  auto loaded = config::load_configuration(configuration_file, environment);
  if (!loaded) {
    for (const std::string &error : loaded.error()) std::printf("ERR: %s\n", error.c_str());
    return 1;
  }
  prepare_process();
  auto *loop = new loop::Loop; // not destroyed, see below
  auto logs = std::make_unique<logs::Logs>(*loop);
  if (auto opened = logs->open(loaded->configuration); opened) {
    logs->apply(std::move(*opened), loaded->configuration);
  } else {
    std::printf("ERR: %s\n", opened.error().message.c_str());
    return 1;
  }
  set_log(logs.get(), loaded->configuration.log_level);
  log(LogLevel::Info, "sluice v{}", SLUICE_VERSION);
  for (const std::string &note : loaded->notes) log(LogLevel::Info, "{}", note);

  int status = 0;
  {
    Supervisor supervisor(*loop, *logs, std::move(*loaded), std::move(environment));
    if (auto started = supervisor.start(); started) {
      loop->run();
    } else {
      log(LogLevel::Error, "{}", started.error().message);
      status = 1;
    }
  }
  set_log(nullptr, LogLevel::Error);
  logs.reset(); // writes what waits
  std::fflush(nullptr);
  ::_exit(status); // the loop's end, and that of libuv's threads, would wait for names that no server answers about
}

} // namespace

int main(int argc, char **argv) {
  processes::remember_arguments(argc, argv);
  loop::wipe_what_reading_keys_leaves();
  if (argc == 3 && std::strcmp(argv[1], processes::kKeeperArgument) == 0) keep(argv[2]);

  config::CommandLine line = config::parse_command_line(argc, argv, SLUICE_VERSION);
  switch (line.action) {
  case config::CommandLine::Action::Exit:
    return print({line.exit_status, line.standard_output, line.standard_error});
  case config::CommandLine::Action::Check:
    return print(config::check_configuration(line.configuration, config::process_environment()));
  case config::CommandLine::Action::Ready:
    return print(ask_readiness(line.configuration, config::process_environment()));
  case config::CommandLine::Action::Encrypt:
    return print(config::encrypt_configuration(*line.configuration, config::process_environment()));
  case config::CommandLine::Action::Decrypt:
    return print(config::decrypt_configuration(*line.configuration, config::process_environment()));
  case config::CommandLine::Action::Serve:
    break;
  }

  if (!processes::was_started_as(processes::kSupervisorTitle, argv[0]))
    processes::execute_again_as(processes::kSupervisorTitle, argv); // returns if that fails: then without titles
  return serve(line.configuration);
}
