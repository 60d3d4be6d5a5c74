#include "supervisor/udp_claims.h"

#include "ipc/shm/session_table.h"

namespace sluice {

Result<void> UdpClaims::claim(const control::Claim &claim) {
  if (claim.addresses.size() > kMaxAddresses) return Error{"too many UDP ports"};
  for (const std::string &address : claim.addresses) {
    auto [begin, end] = holders_.equal_range(address);
    for (auto it = begin; it != end; ++it) {
      const Holder &holder = it->second;
      if (!claim.publishes && !holder.publishes && holder.path != claim.path) continue;
      return Error{claim.in_use};
    }
  }
  for (const std::string &address : claim.addresses) {
    holders_.emplace(address, Holder{claim.session, claim.publishes, claim.path});
    addresses_.emplace(claim.session, address);
  }
  return {};
}

void UdpClaims::release(control::SessionId session) {
  auto [begin, end] = addresses_.equal_range(session);
  for (auto it = begin; it != end; ++it) {
    auto [first, last] = holders_.equal_range(it->second);
    while (first != last) first = first->second.session == session ? holders_.erase(first) : std::next(first);
  }
  addresses_.erase(begin, end);
  heard_.erase(session);
}

void UdpClaims::note_heard(control::SessionId session) {
  if (addresses_.contains(session)) heard_.insert(session);
}

UdpClaims::Candidates UdpClaims::publishers_beside(const std::string &address) const {
  Candidates found;
  if (auto holder = holders_.find(address); holder != holders_.end()) { // a publisher shares it with nobody
    if (holder->second.publishes) found.sessions.push_back(holder->second.session);
    return found;
  }
  std::string host = address.substr(0, address.rfind(':') + 1);
  std::set<control::SessionId> sessions;
  for (auto it = holders_.lower_bound(host); it != holders_.end() && it->first.starts_with(host); ++it) {
    if (it->second.publishes) sessions.insert(it->second.session);
    if (sessions.size() > kMaxCandidates) return found; // a crowd behind one address: nothing can be told
  }
  size_t waiting = 0;
  for (control::SessionId session : sessions) {
    found.sessions.push_back(session);
    if (heard_.contains(session)) continue;
    waiting++;
    found.alone = session;
  }
  if (waiting != 1) found.alone.reset();
  return found;
}

void UdpClaims::release_slot(uint16_t slot) {
  std::vector<control::SessionId> sessions;
  for (const auto &[session, address] : addresses_)
    if (shm::slot_of_session(session) == slot) sessions.push_back(session);
  for (control::SessionId session : sessions) release(session);
}

} // namespace sluice
