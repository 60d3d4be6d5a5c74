// The TCP listeners of one kind, as RTSP or RTSPS: one for each slot on one address, so that the kernel shares
// connections out and those of a worker that is being replaced wait (SO_REUSEPORT). A slot that is given up leaves its
// listeners to the others: whoever waits in one is served. A change is made in two steps: open() may fail, apply()
// can't.
#pragma once

#include "common/base/fd.h"
#include "common/base/result.h"
#include "common/loop/socket.h"
#include "ipc/control/slot_set.h"
#include "supervisor/config/configuration.h"

#include <array>
#include <span>
#include <string>
#include <vector>

namespace sluice {

class SlotListeners {
public:
  static constexpr size_t kMaxSlots = config::kMaxWorkerSlots;
  static constexpr size_t kMaxOfSlot = 28; // what a message can carry of both kinds; beyond that they are closed

  struct Opened {
    std::string text; // of the address; empty: none are wanted
    loop::SocketAddress address;
    bool changed = false; // other listeners than there are, or none any more
    std::vector<Fd> fresh;
  };

  // `text`: address; empty, or no slots: none are wanted. Names are looked up again only when they are others.
  Result<Opened> open(const std::string &text, size_t slots) const;
  void apply(Opened opened, control::SlotSet slots);

  bool is_open() const { return !text_.empty(); }
  std::span<const Fd> of(uint16_t slot) const { return listeners_[slot]; }

private:
  void share(std::vector<Fd> spare, control::SlotSet slots);

  std::string text_;
  loop::SocketAddress address_;
  std::array<std::vector<Fd>, kMaxSlots> listeners_; // each slot's own, and those of slots that were given up
};

} // namespace sluice
