// What a server wants to know before it answers: the WWW-Authenticate header (RFC 7235 section 4.1), several
// challenges in one value included. Pure.
//   1#( scheme 1*SP #( name "=" ( token | quoted-string ) ) )
#pragma once

#include "common/base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::rtsp {

constexpr size_t kMaxChallenges = 8;
constexpr size_t kMaxChallengeParameters = 32;

// From the weakest to the strongest.
enum class AuthScheme : uint8_t { Basic, DigestMd5, DigestSha256 };

struct Challenge {
  AuthScheme scheme = AuthScheme::Basic;
  std::string realm;
  std::string nonce;                 // Digest only, like what follows
  std::optional<std::string> opaque; // to be sent back
  bool names_algorithm = false;
  bool qop_auth = false; // of RFC 2617 and later; otherwise the answer is that of RFC 2069
  bool stale = false;    // only the nonce was too old

  bool operator==(const Challenge &) const = default;
};

// Those that can be answered, in the server's order. Schemes, algorithms and qualities of protection that are not
// known are left out. Error: malformed.
Result<std::vector<Challenge>> parse_challenges(std::string_view value);

} // namespace sluice::rtsp
