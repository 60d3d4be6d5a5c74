// Tells systemd how the service is (sd_notify(3)): ready, reloading, stopping, and as often as its watchdog wants that
// the loop turns. Does nothing when systemd did not start this process. Owned by the supervisor; the loop outlives it.
#pragma once

#include "common/base/fd.h"
#include "common/loop/loop.h"
#include "supervisor/config/loader.h"

#include <string>

namespace sluice {

class SystemdNotify : loop::Timer::Listener {
public:
  // Takes what concerns this process alone out of the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
  SystemdNotify(loop::Loop &loop, config::Environment &environment);

  void ready(); // the first time counts
  // Between these two systemd shows the service as reloading; `status` is shown with it. Nothing before ready().
  void reloading();
  void reloaded(const std::string &status);
  void stopping();

private:
  void on_timer(loop::Timer &timer) override;
  // Best effort: one datagram, dropped if systemd does not take it at once.
  void send(const std::string &text);

  std::string address_; // empty: nobody is to be told
  Fd socket_;
  loop::Timer watchdog_;
  bool ready_ = false;
};

} // namespace sluice
