// The control channel as what serves clients uses it. Implemented by the process.
#pragma once

#include "ipc/control/messages.h"

#include <span>

namespace sluice::worker {

class Supervisor {
public:
  virtual void send(const control::Message &message, std::span<const int> descriptors = {}) = 0;
  // Much waits to be sent: ask nothing more until on_channel_room().
  virtual bool congested() const = 0;

protected:
  ~Supervisor() = default;
};

} // namespace sluice::worker
