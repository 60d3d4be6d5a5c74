// The main process: opens what outlives workers, starts and replaces workers, decides who may publish and read
// what, and hands out the rings. Never touches media. The loop outlives it.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "ipc/shm/memfd.h"
#include "supervisor/config/loader.h"
#include "supervisor/paths/paths.h"
#include "supervisor/processes/log_limit.h"
#include "supervisor/processes/rings.h"
#include "supervisor/processes/slot.h"

#include <memory>
#include <vector>

namespace sluice {

class Supervisor : processes::Slot::Listener, loop::Signal::Listener, loop::Timer::Listener, paths::RuleSource {
public:
  // How long workers may take to close their sessions.
  static constexpr Nanoseconds kShutdownPatience = 5 * kSecond;

  Supervisor(loop::Loop &loop, config::Configuration configuration);

  // Opens the listeners and starts the workers; the loop's run() then serves until SIGTERM or SIGINT.
  Result<void> start();

private:
  struct Worker {
    std::unique_ptr<processes::Slot> slot;
    Fd listener;
    processes::LogLimit log_limit;
  };

  void on_worker_hello(processes::Slot &slot) override;
  void on_worker_message(processes::Slot &slot, control::Message message, std::vector<Fd> descriptors) override;
  void on_worker_gone(processes::Slot &slot, const std::string &how) override;
  void on_slot_closed(processes::Slot &slot) override;
  void on_signal(int number) override;
  void on_timer(loop::Timer &timer) override;
  Result<paths::PathRules> rules_for(const std::string &path) const override;

  Result<void> open_listeners(size_t slots);
  Result<void> create_slots(size_t slots);
  control::WorkerSettings worker_settings() const;
  void log_missing_listeners() const;

  void print(Worker &worker, const control::LogLine &line);
  void grow_ring(processes::Slot &writer, const control::RingTooSmall &request);
  void handle(const paths::Event &event);
  void perform(const paths::Effect &effect, std::vector<paths::Event> &failures);
  Result<void> open_stream(const paths::OpenStream &open);
  Result<void> grant_read(const paths::GrantRead &grant);
  void send(uint16_t slot, const control::Message &message, std::span<const int> descriptors = {});
  void kill_all();

  loop::Loop &loop_;
  config::Configuration configuration_;
  processes::Reaper reaper_;
  loop::Signal terminate_, interrupt_;
  loop::Timer shutdown_timer_;
  Fd doorbell_board_;
  loop::SocketAddress rtp_address_, rtcp_address_;
  std::vector<Fd> udp_bases_; // of rtpAddress and rtcpAddress; drained by slot 0
  paths::Paths paths_;
  processes::Rings rings_;
  std::vector<Worker> workers_; // by slot index
  size_t open_slots_ = 0;
  bool stopping_ = false;
};

} // namespace sluice
