#include "workers/rtsp/protocol/challenge.h"

#include "common/base/text.h"
#include "common/http/field_value.h"

#include <algorithm>

namespace sluice::rtsp {
namespace {

struct Parameter {
  std::string_view name;
  std::string value;
};

struct RawChallenge {
  std::string_view scheme;
  std::vector<Parameter> parameters;

  const std::string *find(std::string_view name) const {
    for (const Parameter &parameter : parameters)
      if (equal_ignoring_case(parameter.name, name)) return &parameter.value;
    return nullptr;
  }
};

Result<std::string> take_value(std::string_view &rest) {
  http::skip(rest, " \t");
  if (!rest.starts_with('"')) return std::string(http::take_until(rest, ", \t")); // with '=', as base64 ends
  auto value = http::take_quoted(rest);
  if (!value) return Error{"quoted string without end in a challenge"};
  return std::move(*value);
}

// A word followed by '=' is a parameter of the challenge before it, any other begins a challenge.
Result<std::vector<RawChallenge>> split(std::string_view rest) {
  std::vector<RawChallenge> challenges;
  for (http::skip(rest, ", \t"); !rest.empty(); http::skip(rest, ", \t")) {
    std::string_view word = http::take_until(rest, "=, \t\"");
    if (word.empty()) return Error{"malformed challenge"};
    http::skip(rest, " \t");
    if (!rest.starts_with('=')) {
      if (challenges.size() == kMaxChallenges) return Error{"too many challenges"};
      challenges.push_back({word, {}});
      continue;
    }
    rest.remove_prefix(1);
    if (challenges.empty()) return Error{"challenge without scheme"};
    std::vector<Parameter> &parameters = challenges.back().parameters;
    if (parameters.size() == kMaxChallengeParameters) return Error{"too many parameters in a challenge"};
    parameters.push_back({word, TRY(take_value(rest))});
  }
  return challenges;
}

bool lists(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    size_t end = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trim(list.substr(0, end)), wanted)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<Challenge> read_digest(const RawChallenge &raw) {
  Challenge challenge{.scheme = AuthScheme::DigestMd5};
  const std::string *realm = raw.find("realm"), *nonce = raw.find("nonce");
  if (realm == nullptr || nonce == nullptr) return std::nullopt;
  challenge.realm = *realm;
  challenge.nonce = *nonce;
  if (const std::string *algorithm = raw.find("algorithm")) {
    challenge.names_algorithm = true;
    if (equal_ignoring_case(*algorithm, "SHA-256"))
      challenge.scheme = AuthScheme::DigestSha256;
    else if (!equal_ignoring_case(*algorithm, "MD5"))
      return std::nullopt;
  }
  if (const std::string *qop = raw.find("qop"); qop != nullptr && !trim(*qop).empty()) {
    if (!lists(*qop, "auth")) return std::nullopt;
    challenge.qop_auth = true;
  }
  if (const std::string *opaque = raw.find("opaque")) challenge.opaque = *opaque;
  if (const std::string *stale = raw.find("stale")) challenge.stale = equal_ignoring_case(*stale, "true");
  return challenge;
}

} // namespace

Result<std::vector<Challenge>> parse_challenges(std::string_view value) {
  std::vector<Challenge> challenges;
  for (const RawChallenge &raw : TRY(split(value))) {
    if (equal_ignoring_case(raw.scheme, "Basic")) {
      const std::string *realm = raw.find("realm");
      challenges.push_back({.scheme = AuthScheme::Basic, .realm = realm != nullptr ? *realm : ""});
    } else if (equal_ignoring_case(raw.scheme, "Digest")) {
      if (auto digest = read_digest(raw)) challenges.push_back(std::move(*digest));
    }
  }
  return challenges;
}

} // namespace sluice::rtsp
