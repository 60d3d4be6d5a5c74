#include "supervisor/auth/authenticator.h"

#include "common/base/check.h"
#include "common/base/log.h"

#include <fmt/core.h>

namespace sluice::auth {
namespace {

const Verdict kAccepted{true, {}, {}, false};

} // namespace

Result<PathAccess> path_access(const config::PathConfiguration &path, Action action) {
  if (action == Action::Publish)
    return PathAccess{path.publish_user, path.publish_pass, TRY(IpList::parse(path.publish_ips))};
  return PathAccess{path.read_user, path.read_pass, TRY(IpList::parse(path.read_ips))};
}

Authenticator::Authenticator(loop::Loop &loop, Listener &listener, const NonceSecret &secret)
    : loop_(loop), listener_(listener), nonces_(secret), external_(loop, *this), slow_(loop, *this) {}

void Authenticator::configure(const Settings &settings) {
  settings_ = settings;
  slow_.clear();
}

void Authenticator::check(Id id, Request request) {
  CHECK(!pending_.contains(id));
  if (settings_.external_url.empty()) return check_locally(id, std::move(request));

  ExternalRequest question{request.ip,
                           request.user,
                           request.password,
                           request.path,
                           request.action,
                           request.query,
                           config::name_of(request.protocol),
                           request.log_id};
  if (!request.authorization.empty()) {
    auto parsed = parse_authorization(request.authorization.view());
    auto *basic = parsed ? std::get_if<BasicAuthorization>(&*parsed) : nullptr;
    question.user = basic ? std::move(basic->user) : SecretText();
    question.password = basic ? std::move(basic->password) : SecretText();
  }
  request.asked_at = loop_.now();
  pending_.emplace(id, std::move(request));
  auto asked = external_.ask(id, settings_.external_url, settings_.read_timeout, question);
  if (!asked) on_external_answer(id, std::move(asked));
}

void Authenticator::cancel(Id id) {
  if (pending_.erase(id) == 0) return;
  external_.cancel(id);
  slow_.cancel(id);
}

void Authenticator::on_external_answer(Id id, Result<void> answered) {
  auto found = pending_.find(id);
  CHECK(found != pending_.end());
  Request request = std::move(found->second);
  pending_.erase(found);
  statistics_.external.observe(loop_.now() - request.asked_at);
  if (answered) return check_locally(id, std::move(request));
  Verdict verdict{false, "external authentication failed: " + answered.error().message, {}, false};
  if (request.protocol != config::Protocol::Rtmp) verdict.challenges.push_back(basic_challenge());
  answer(id, verdict);
}

void Authenticator::check_locally(Id id, Request request) {
  const PathAccess &access = request.access;
  if (!access.ips.empty() && !access.ips.contains(request.ip))
    return answer(id, {false, fmt::format("IP '{}' not allowed", printable(request.ip, 100)), {}, true});
  if (access.user.empty()) return answer(id, kAccepted);
  if (request.protocol == config::Protocol::Rtsp) return check_rtsp(id, std::move(request));

  if (request.authorization.empty()) {
    Given given{std::move(request.user), std::move(request.password)};
    return compare(id, std::move(request), given);
  }
  auto parsed = parse_authorization(request.authorization.view());
  auto *basic = parsed ? std::get_if<BasicAuthorization>(&*parsed) : nullptr;
  if (basic == nullptr) return answer(id, refusal(request, "invalid credentials"));
  Given given{std::move(basic->user), std::move(basic->password)};
  compare(id, std::move(request), given);
}

void Authenticator::check_rtsp(Id id, Request request) {
  config::AuthMethods methods = usable_methods(request);
  if (!methods.basic && !methods.digest)
    return answer(id, refusal(request, "hashed credentials need basic authentication, which authMethods leaves out"));
  if (request.authorization.empty()) return answer(id, refusal(request, "authorization header is missing"));
  auto parsed = parse_authorization(request.authorization.view());
  if (!parsed) return answer(id, refusal(request, parsed.error().message));
  if (auto *basic = std::get_if<BasicAuthorization>(&*parsed)) {
    if (!methods.basic) return answer(id, refusal(request, "basic authentication is not enabled"));
    Given given{std::move(basic->user), std::move(basic->password)};
    return compare(id, std::move(request), given);
  }
  if (!settings_.methods.digest) return answer(id, refusal(request, "digest authentication is not enabled"));
  if (!methods.digest) return answer(id, refusal(request, "digest authentication needs credentials without hash"));
  const auto &digest = std::get<DigestAuthorization>(*parsed);
  bool nonce_is_valid = digest.nonce && nonces_.check(*digest.nonce, request.peer);
  auto checked =
      check_digest(digest, {request.method, request.url, nonce_is_valid}, request.access.user, request.access.password);
  answer(id, checked ? kAccepted : refusal(request, checked.error().message));
}

void Authenticator::compare(Id id, Request request, const Given &given) {
  StoredPair stored{request.access.user, request.access.password};
  GivenPair pair{given.user.view(), given.password.view()};
  if (pair.user.size() > kMaxCredentialBytes || pair.password.size() > kMaxCredentialBytes)
    return answer(id, refusal(request, "invalid credentials"));
  if (!stored.is_slow()) return answer(id, matches(stored, pair) ? kAccepted : refusal(request, "invalid credentials"));
  switch (slow_.compare(id, stored, pair)) {
  case SlowCredentials::Answer::Match:
    return answer(id, kAccepted);
  case SlowCredentials::Answer::TooMany:
    return answer(id, refusal(request, "too many authentication requests"));
  case SlowCredentials::Answer::Later:
    pending_.emplace(id, std::move(request));
  }
}

void Authenticator::on_compared(Id id, bool match) {
  auto found = pending_.find(id);
  CHECK(found != pending_.end());
  Request request = std::move(found->second);
  pending_.erase(found);
  answer(id, match ? kAccepted : refusal(request, "invalid credentials"));
}

void Authenticator::answer(Id id, const Verdict &verdict) {
  (verdict.accepted ? statistics_.accepted : statistics_.refused)++;
  listener_.on_verdict(id, verdict);
}

// Those enabled, without Digest where it can't work: its answer needs the password itself.
config::AuthMethods Authenticator::usable_methods(const Request &request) const {
  bool plain = StoredPair{request.access.user, request.access.password}.is_plain();
  return {settings_.methods.basic, settings_.methods.digest && plain};
}

Verdict Authenticator::refusal(const Request &request, std::string reason) const {
  Verdict verdict{false, std::move(reason), {}, false};
  if (request.protocol == config::Protocol::Rtmp) return verdict;
  if (request.protocol == config::Protocol::Hls) verdict.challenges.push_back(basic_challenge());
  if (request.protocol == config::Protocol::Hls) return verdict;
  config::AuthMethods methods = usable_methods(request);
  if (methods.basic) verdict.challenges.push_back(basic_challenge());
  if (methods.digest) verdict.challenges.push_back(digest_challenge(nonces_.make(request.peer)));
  return verdict;
}

} // namespace sluice::auth
