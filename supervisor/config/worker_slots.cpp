#include "supervisor/config/worker_slots.h"

#include <fmt/core.h>

#include <algorithm>

namespace sluice::config {
namespace {

constexpr size_t kSlots = kMaxWorkerSlots;

size_t configured_workers(const Configuration &configuration, Protocol protocol) {
  PerProtocol<int> workers{{configuration.rtsp_workers, configuration.rtmp_workers, configuration.hls_workers}};
  return static_cast<size_t>(workers[protocol]);
}

} // namespace

bool serves(const Configuration &configuration, Protocol protocol) {
  PerProtocol<bool> disabled{{configuration.rtsp_disable, configuration.rtmp_disable, configuration.hls_disable}};
  return !disabled[protocol];
}

bool listens(const Configuration &configuration, Protocol protocol, bool tls) {
  if (!serves(configuration, protocol)) return false;
  Encryption encryption = configuration.hls_encryption ? Encryption::Strict : Encryption::No;
  if (protocol == Protocol::Rtsp) encryption = configuration.encryption;
  if (protocol == Protocol::Rtmp) encryption = configuration.rtmp_encryption;
  return encryption == Encryption::Optional || (encryption == Encryption::Strict) == tls;
}

bool needs_workers(const Configuration &configuration, Protocol protocol) {
  return serves(configuration, protocol) ||
         std::any_of(configuration.paths.begin(), configuration.paths.end(),
                     [&](const auto &entry) { return entry.second.pulls() == protocol; });
}

PerProtocol<size_t> worker_counts(const Configuration &configuration, size_t cores) {
  PerProtocol<size_t> counts;
  size_t room = kSlots, by_cores = 0;
  for (Protocol protocol : kProtocols) {
    if (!needs_workers(configuration, protocol)) continue;
    counts[protocol] = std::min(configured_workers(configuration, protocol), room);
    room -= counts[protocol];
    if (counts[protocol] == 0) by_cores++;
  }
  for (Protocol protocol : kProtocols) {
    if (counts[protocol] != 0 || !needs_workers(configuration, protocol)) continue;
    counts[protocol] = std::min(std::max<size_t>(cores, 1), room / by_cores--);
    room -= counts[protocol];
  }
  return counts;
}

std::string name_of(const SlotRole &role) {
  return fmt::format("{}-{}", name_of(role.protocol), role.number);
}

SlotRoles place_workers(const SlotRoles &present, const PerProtocol<size_t> &counts) {
  SlotRoles placed;
  auto is_free = [&](size_t slot) { return !present[slot] && !placed[slot]; };
  for (Protocol protocol : kProtocols) {
    for (uint16_t number = 0; number < counts[protocol]; number++) {
      SlotRole role{protocol, number};
      auto slot = static_cast<size_t>(std::find(present.begin(), present.end(), role) - present.begin());
      if (slot == kSlots)
        for (slot = 0; slot < kSlots && !is_free(slot);) slot++;
      if (slot < kSlots) placed[slot] = role;
    }
  }
  return placed;
}

control::SlotSet slots_of(const SlotRoles &roles, Protocol protocol) {
  control::SlotSet slots;
  for (uint16_t slot = 0; slot < kSlots; slot++)
    if (roles[slot] && roles[slot]->protocol == protocol) slots.insert(slot);
  return slots;
}

} // namespace sluice::config
