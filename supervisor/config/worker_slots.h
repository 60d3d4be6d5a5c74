// Which workers a configuration wants, and which slots they have among those of all protocols. Pure.
#pragma once

#include "ipc/control/slot_set.h"
#include "supervisor/config/configuration.h"

#include <array>
#include <optional>
#include <string>

namespace sluice::config {

// Clients are served, or only streams pulled.
bool serves(const Configuration &configuration, Protocol protocol);
// On its plain address, on that for TLS.
bool listens(const Configuration &configuration, Protocol protocol, bool tls);
bool needs_workers(const Configuration &configuration, Protocol protocol);

// As many as configured, or as there are cores: then at least one, and no more than the others leave. Together
// kMaxWorkerSlots at most. 0: there is nothing to serve and nothing to pull.
PerProtocol<size_t> worker_counts(const Configuration &configuration, size_t cores);

// What a slot is there for: rtsp-0, rtmp-1.
struct SlotRole {
  Protocol protocol = Protocol::Rtsp;
  uint16_t number = 0; // among those of its protocol
  bool operator==(const SlotRole &) const = default;
};
std::string name_of(const SlotRole &role);

using SlotRoles = std::array<std::optional<SlotRole>, kMaxWorkerSlots>; // by slot; empty: no such slot

// Each worker stays in the slot that it has in `present`, where those that are given up stand as well, and gets the
// first one that is free otherwise. One that finds none is left out; there is one when another has gone.
SlotRoles place_workers(const SlotRoles &present, const PerProtocol<size_t> &counts);

control::SlotSet slots_of(const SlotRoles &roles, Protocol protocol);

} // namespace sluice::config
