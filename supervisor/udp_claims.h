// Which UDP addresses of clients are in use: two sessions that send to one address, or hear from one, could not be told
// apart. Two readers may share one if they read different paths. Pure.
#pragma once

#include "common/base/result.h"
#include "ipc/control/messages.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sluice {

class UdpClaims {
public:
  static constexpr size_t kMaxAddresses = 2; // of one claim: RTP and RTCP
  static constexpr size_t kMaxCandidates = 64;

  // All of them, or none and an Error. What a session has claimed stays until its release.
  Result<void> claim(const control::Claim &claim);
  void release(control::SessionId session);
  // It needs no other addresses than it has, as far as can be seen.
  void note_heard(control::SessionId session);
  // Sessions that publish from the host of this address, which nobody has claimed: kMaxCandidates at most. Of one that
  // is claimed only who publishes from it.
  struct Candidates {
    std::vector<control::SessionId> sessions;
    std::optional<control::SessionId> alone; // the only one that has not heard from all of its tracks
  };
  Candidates publishers_beside(const std::string &address) const;
  void release_slot(uint16_t slot);
  size_t size() const { return holders_.size(); }

private:
  struct Holder {
    control::SessionId session = 0;
    bool publishes = false;
    std::string path;
  };
  using Holders = std::multimap<std::string, Holder>; // by address

  Holders holders_;
  std::multimap<control::SessionId, std::string> addresses_;
  std::set<control::SessionId> heard_; // of those in addresses_
};

} // namespace sluice
