// A client's name and password, and the Authorization headers made of them: Basic (RFC 7617) and Digest (RFC 2069,
// 2617, 7616). Pure: the client's nonce is an argument. Wiped when it goes.
#pragma once

#include "workers/rtsp/protocol/challenge.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sluice::rtsp {

// %XX as the character it stands for; other text as it is.
std::string percent_decoded(std::string_view text);

class ClientCredentials {
public:
  ClientCredentials() = default; // none
  // "user" or "user:password", percent-encoded, as in a URL. `client_nonce`: a text nobody can guess.
  ClientCredentials(std::string_view userinfo, std::string client_nonce);
  ~ClientCredentials();
  ClientCredentials(ClientCredentials &&) noexcept = default;
  ClientCredentials &operator=(ClientCredentials &&) noexcept = default;
  ClientCredentials(const ClientCredentials &) = delete;
  ClientCredentials &operator=(const ClientCredentials &) = delete;

  bool given() const { return given_; }
  // Answers the strongest of the challenges from now on. False: none of them can be answered.
  bool accept(std::span<const Challenge> challenges);
  const std::optional<Challenge> &challenge() const { return challenge_; }
  // The header's value for a request; "" before a challenge was accepted. Each call is one use of the nonce.
  std::string authorization(std::string_view method, std::string_view url);

private:
  std::string digest(std::string_view method, std::string_view url);

  bool given_ = false;
  std::string user_, password_, client_nonce_;
  std::optional<Challenge> challenge_;
  uint32_t uses_ = 0; // of the nonce
};

} // namespace sluice::rtsp
