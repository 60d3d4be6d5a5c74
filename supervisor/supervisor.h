// The main process: opens what outlives workers, starts and replaces workers, decides who may publish and read what,
// hands out the rings, runs commands, answers the API, and follows its configuration. Never touches media. The loop
// outlives it.
#pragma once

#include "common/loop/loop.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/path_matcher.h"
#include "supervisor/config/reload_plan.h"
#include "supervisor/file_watcher.h"
#include "supervisor/gate.h"
#include "supervisor/hook_runner.h"
#include "supervisor/logs/logs.h"
#include "supervisor/multicast_runner.h"
#include "supervisor/muxers/muxers.h"
#include "supervisor/operations.h"
#include "supervisor/paths/paths.h"
#include "supervisor/processes/rings.h"
#include "supervisor/sources/sources.h"
#include "supervisor/systemd_notify.h"
#include "supervisor/udp_claims.h"
#include "supervisor/workers.h"

#include <memory>

namespace sluice {

class Supervisor : Workers::Listener,
                   Gate::Listener,
                   Sources::Listener,
                   Muxers::Listener,
                   HookRunner::Listener,
                   FileWatcher::Listener,
                   Operations::Host,
                   loop::Signal::Listener,
                   loop::Timer::Listener,
                   paths::RuleSource {
public:
  // How long workers may take to close their sessions, commands to end.
  static constexpr Nanoseconds kShutdownPatience = 5 * kSecond;
  // An address that a worker has just given up may be in use for a moment still.
  static constexpr Nanoseconds kReloadPause = 500 * kMillisecond;
  static constexpr int kMaxReloadsAgain = 6;

  // `environment` is what overrides files, also when they are loaded again. `logs` outlives it.
  Supervisor(loop::Loop &loop, logs::Logs &logs, config::LoadedConfiguration loaded, config::Environment environment);
  ~Supervisor() override;

  // Opens the listeners and starts the workers; the loop's run() then serves until SIGTERM or SIGINT.
  Result<void> start();

private:
  // A configuration and what is made from it; replaced as a whole.
  struct Active {
    explicit Active(config::Configuration made) : configuration(std::move(made)), matcher(configuration) {}
    config::Configuration configuration;
    config::PathMatcher matcher;
  };

  void on_worker_message(uint16_t slot, control::Message message) override;
  void on_worker_ready(uint16_t slot) override;
  void on_worker_gone(uint16_t slot) override;
  void on_slots_changed() override;
  void on_all_workers_closed() override;
  void on_passed(uint16_t slot, control::Message message) override;
  void on_refused(uint16_t slot, control::Refused refused) override;
  void on_source(const paths::Event &event) override;
  bool worker_serves(uint16_t slot) const override;
  void send_to_worker(uint16_t slot, const control::Message &message, std::span<const int> descriptors) override;
  void on_hooks_idle() override;
  void on_file_changed() override;
  void on_signal(int number) override;
  void on_timer(loop::Timer &timer) override;
  Result<paths::PathRules> rules_for(const std::string &path) const override;
  std::vector<std::string> permanent_paths() const override;
  const config::Configuration &configuration() const override { return active_->configuration; }
  Result<void> change_configuration(config::Configuration next) override;
  bool stopping() const override { return stopping_; }

  void reload(const char *why);
  std::string reload_file();
  void tell_if_ready();
  Result<void> activate(config::Configuration next);
  void configure_muxers();
  void follow(const config::ReloadPlan &plan);
  void warn_of_limits(const config::Configuration &configuration) const;

  void handle(const paths::Event &event);
  void perform(const paths::Effect &effect, std::vector<paths::Event> &failures);
  Result<void> open_stream(const paths::OpenStream &open);
  Result<void> grant_read(const paths::GrantRead &grant);
  void claim(uint16_t slot, const control::Claim &claim);
  void offer(const control::StrayDatagram &stray);
  void grow_ring(uint16_t writer, const control::RingTooSmall &request);
  void tell_readers(control::StreamId stream, const processes::Rings::Grant &grant, uint64_t slots);
  void stop();
  void leave_if_done();

  loop::Loop &loop_;
  logs::Logs &logs_;
  config::Environment environment_;
  SystemdNotify systemd_;
  std::string file_; // empty: none
  std::unique_ptr<Active> active_;
  processes::Reaper reaper_;
  loop::Signal terminate_, interrupt_, hang_up_;
  loop::Timer shutdown_timer_, path_timer_, reload_timer_, muxer_timer_;
  int reloads_again_ = 0; // in a row, since an address was in use
  paths::Paths paths_;
  processes::Rings rings_;
  Gate gate_;
  Sources sources_;
  HookRunner hooks_;
  UdpClaims udp_claims_;
  MulticastRunner multicast_;
  Muxers muxers_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<FileWatcher> watcher_;
  bool serving_ = false, stopping_ = false, workers_closed_ = false;
};

} // namespace sluice
