// Which UDP addresses of clients are in use: two sessions that send to one address, or hear from one, could not be told
// apart. Two readers may share one if they read different paths. Pure.
#pragma once

#include "common/base/result.h"
#include "ipc/control/messages.h"

#include <map>

namespace sluice {

class UdpClaims {
public:
  static constexpr size_t kMaxAddresses = 2; // of one claim: RTP and RTCP

  // All of them, or none and an Error. What a session has claimed stays until its release.
  Result<void> claim(const control::Claim &claim);
  void release(control::SessionId session);
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
};

} // namespace sluice
