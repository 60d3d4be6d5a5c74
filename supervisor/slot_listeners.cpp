#include "supervisor/slot_listeners.h"

#include "supervisor/listeners.h"

#include <algorithm>

namespace sluice {
namespace {

bool same_address(const loop::SocketAddress &a, const loop::SocketAddress &b) {
  return a.family() == b.family() && a.text() == b.text();
}

} // namespace

Result<SlotListeners::Opened> SlotListeners::open(const std::string &text, size_t slots) const {
  Opened opened;
  if (text.empty() || slots == 0) {
    opened.changed = is_open();
    return opened;
  }
  opened.text = text;
  opened.address = text == text_ ? address_ : TRY(resolve(text));
  opened.changed = !is_open() || !same_address(opened.address, address_);
  size_t missing = slots;
  if (!opened.changed) {
    size_t there = 0;
    for (const auto &own : listeners_) there += own.size();
    missing -= std::min(missing, there);
  } else if (!is_open() || opened.address.port() != address_.port()) {
    TRY(check_unused(opened.address, SOCK_STREAM)); // else the port is ours
  }
  for (size_t i = 0; i < missing; i++) opened.fresh.push_back(TRY(loop::listen_tcp(opened.address)));
  return opened;
}

void SlotListeners::apply(Opened opened, control::SlotSet slots) {
  if (opened.changed)
    for (auto &own : listeners_) own.clear();
  text_ = std::move(opened.text);
  address_ = opened.address;
  share(std::move(opened.fresh), is_open() ? slots : control::SlotSet());
}

// Each slot that stays has a listener, and those of the others go to slots that stay.
void SlotListeners::share(std::vector<Fd> spare, control::SlotSet slots) {
  for (uint16_t i = 0; i < kMaxSlots; i++) {
    auto &own = listeners_[i];
    for (size_t keep = slots.contains(i) ? 1 : 0; own.size() > keep; own.pop_back())
      spare.push_back(std::move(own.back()));
  }
  auto give = [&](uint16_t slot) {
    if (spare.empty()) return;
    listeners_[slot].push_back(std::move(spare.back()));
    spare.pop_back();
  };
  slots.for_each([&](uint16_t slot) {
    if (listeners_[slot].empty()) give(slot);
  });
  for (size_t round = 1; round < kMaxOfSlot; round++) slots.for_each(give);
}

} // namespace sluice
