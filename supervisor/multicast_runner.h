// Carries out what multicast::Multicast decides: answers workers, hands the sender its ring, and has it woken. Its
// calls are made by the Supervisor; workers and rings outlive it.
#pragma once

#include "supervisor/config/configuration.h"
#include "supervisor/multicast/multicast.h"
#include "supervisor/paths/paths.h"
#include "supervisor/processes/rings.h"
#include "supervisor/workers.h"

namespace sluice {

class MulticastRunner {
public:
  explicit MulticastRunner(processes::Rings &rings) : rings_(rings) {}

  // After the workers have it.
  void configure(const config::Configuration &configuration, Workers &workers);
  void on_slots_changed();
  void on_worker_ready(uint16_t slot) { perform(multicast_.on_worker_ready(slot)); }
  void on_worker_gone(uint16_t slot) { perform(multicast_.on_worker_gone(slot)); }
  void on_join(uint16_t slot, const control::JoinMulticast &join, const paths::Paths &paths);
  // Playing, ReaderPaused and Release concern it; others do not.
  void on_message(uint16_t slot, const control::Message &message);
  void on_stream_closed(control::StreamId stream) { perform(multicast_.on_stream_closed(stream)); }

private:
  void perform(const multicast::Effects &effects);
  void start_sending(const multicast::StartSending &start);

  processes::Rings &rings_;
  Workers *workers_ = nullptr; // from the first configure() on
  multicast::Multicast multicast_;
};

} // namespace sluice
