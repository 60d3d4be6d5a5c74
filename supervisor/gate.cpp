#include "supervisor/gate.h"

#include "common/base/secret.h"
#include "supervisor/auth/query_credentials.h"

#include <variant>

namespace sluice {
namespace {

// "1.2.3.4:5" and "[::1]:5" without the port.
std::string host_of(const std::string &client) {
  std::string host = client.substr(0, client.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  return host;
}

control::SessionId session_of(const control::Message &message) {
  control::SessionId session = 0;
  std::visit(
      [&](const auto &m) {
        if constexpr (requires { m.session; }) session = m.session;
      },
      message);
  return session;
}

} // namespace

Gate::Gate(loop::Loop &loop, Listener &listener) : listener_(listener), authenticator_(loop, *this) {}

Result<void> Gate::configure(const config::Configuration &configuration, const config::PathMatcher &matcher) {
  std::map<std::string, Access> access;
  for (const auto &[name, path] : configuration.paths) {
    Access &entry = access[name];
    entry.publish = TRY(auth::path_access(path, auth::Action::Publish));
    entry.read = TRY(auth::path_access(path, auth::Action::Read));
  }
  access_ = std::move(access);
  matcher_ = &matcher;
  authenticator_.configure(
      {configuration.auth_methods, configuration.external_authentication_url, configuration.read_timeout});
  return {};
}

void Gate::submit(uint16_t slot, config::Protocol protocol, control::Message message) {
  Asker asker{slot, protocol};
  if (auto *authorize = std::get_if<control::Authorize>(&message))
    submit_request(asker, *authorize, auth::Action::Read);
  else if (auto *describe = std::get_if<control::Describe>(&message))
    submit_request(asker, *describe, auth::Action::Read);
  else if (auto *admit = std::get_if<control::Admit>(&message))
    submit_request(asker, *admit, auth::Action::Publish);
  else if (auto *publish = std::get_if<control::Publish>(&message)) {
    auto admission = admitted_.extract(publish->session);
    if (admission && admission.mapped().slot == slot && admission.mapped().path == publish->path)
      return listener_.on_passed(slot, std::move(message));
    submit_request(asker, *publish, auth::Action::Publish);
  } else if (auto *read = std::get_if<control::Read>(&message))
    submit_request(asker, *read, auth::Action::Read);
}

template <class Request> void Gate::submit_request(const Asker &asker, Request &request, auth::Action action) {
  uint16_t slot = asker.slot;
  auth::Request question;
  question.protocol = asker.protocol;
  question.authorization = auth::SecretText::take(request.credentials.authorization);
  question.method = std::move(request.credentials.method);
  question.url = std::move(request.credentials.url);
  auto refuse = [&](control::Refusal refusal, std::string reason) {
    listener_.on_refused(slot, {request.request, refusal, std::move(reason), {}});
  };
  auto match = matcher_->find(request.path);
  if (!match) return refuse(control::Refusal::BadRequest, match.error().message);
  if (pending_.size() >= kMaxPending) return refuse(control::Refusal::Unavailable, "too many authentication requests");
  question.action = action;
  question.path = request.path;
  question.query = auth::SecretText::take(request.query);
  bool of_query = asker.protocol == config::Protocol::Rtmp ||
                  (asker.protocol == config::Protocol::Hls && question.authorization.empty());
  if (of_query) {
    auth::QueryCredentials given = auth::parse_query_credentials(question.query.view());
    question.user = std::move(given.user);
    question.password = std::move(given.password);
  }
  if constexpr (requires { request.log_id; }) question.log_id = request.log_id;
  question.ip = host_of(request.client);
  question.peer = request.client;
  const Access &access = access_.at(match->path->name);
  question.access = action == auth::Action::Publish ? access.publish : access.read;
  Id id = next_id_++;
  pending_.emplace(id, Pending{slot, session_of(control::Message(request)), control::Message(std::move(request))});
  authenticator_.check(id, std::move(question));
}

void Gate::on_verdict(Id id, const auth::Verdict &verdict) {
  auto found = pending_.find(id);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (verdict.accepted) {
    if (const auto *admit = std::get_if<control::Admit>(&pending.message); admit && admitted_.size() < kMaxPending)
      admitted_.insert_or_assign(admit->session, Admission{pending.slot, admit->path});
    return listener_.on_passed(pending.slot, std::move(pending.message));
  }
  control::Refused refused;
  std::visit(
      [&](const auto &m) {
        if constexpr (requires { m.request; }) refused.request = m.request;
      },
      pending.message);
  refused.refusal = verdict.critical ? control::Refusal::Forbidden : control::Refusal::Unauthorized;
  refused.reason = verdict.reason;
  refused.challenges = verdict.challenges;
  listener_.on_refused(pending.slot, std::move(refused));
}

template <class Which> void Gate::drop(Which &&which) {
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (!which(it->second)) {
      ++it;
      continue;
    }
    authenticator_.cancel(it->first);
    it = pending_.erase(it);
  }
}

void Gate::drop_worker(uint16_t slot) {
  drop([&](const Pending &pending) { return pending.slot == slot; });
  std::erase_if(admitted_, [slot](const auto &entry) { return entry.second.slot == slot; });
}

void Gate::drop_session(control::SessionId session) {
  drop([&](const Pending &pending) { return pending.session == session; });
  admitted_.erase(session);
}

} // namespace sluice
