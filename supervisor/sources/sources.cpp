#include "supervisor/sources/sources.h"

#include "common/base/log.h"
#include "supervisor/config/source_url.h"
#include "supervisor/sources/trust_store.h"

#include <algorithm>

namespace sluice {

void Sources::start(const paths::PullSource &pull) {
  Source source;
  source.pull = pull;
  source.url = pull.rule.url;
  source.protocol = config::protocol_of_url(source.url).value_or(source.protocol); // URLs were checked
  place(source, choose_slot(source));
  look_up(sources_.emplace(pull.source, std::move(source)).first);
}

void Sources::end(control::SourceId id) {
  auto source = sources_.find(id);
  if (source == sources_.end()) return;
  if (source->second.sent) listener_.send_to_worker(*source->second.slot, control::StopSource{id}, {});
  resolver_.cancel(id);
  erase(source);
}

// Where its stream is, if that may pull; else one that has the fewest sources.
std::optional<uint16_t> Sources::choose_slot(const Source &source) const {
  const control::SlotSet &slots = slots_[source.protocol];
  if (source.pull.slot && slots.contains(*source.pull.slot)) return source.pull.slot;
  std::optional<uint16_t> least;
  slots.for_each([&](uint16_t slot) {
    if (!least || loads_[slot] < loads_[*least]) least = slot;
  });
  return least;
}

void Sources::place(Source &source, std::optional<uint16_t> slot) {
  if (source.slot) loads_[*source.slot]--;
  source.slot = slot;
  if (slot) loads_[*slot]++;
}

void Sources::erase(Found source) {
  place(source->second, std::nullopt);
  sources_.erase(source);
}

// --- addresses ---

// URLs of the configuration were checked; those of redirects were when they came.
void Sources::look_up(Found source) {
  Source &s = source->second;
  s.addresses.clear();
  s.sent = false;
  config::SourceHost host = config::host_of_source(s.url).value_or(config::SourceHost());
  auto literal = loop::Resolver::literal(host.host, host.port);
  if (!literal) return resolver_.resolve(source->first, host.host, host.port);
  s.addresses.push_back(literal->text());
  send(source);
}

void Sources::on_resolved(uint64_t id, const Result<std::vector<loop::SocketAddress>> &addresses) {
  auto source = sources_.find(id);
  if (source == sources_.end()) return;
  if (!addresses) return fail(source, addresses.error().message);
  constexpr size_t kMostAddresses = 8;
  for (size_t i = 0; i < std::min(addresses->size(), kMostAddresses); i++)
    source->second.addresses.push_back((*addresses)[i].text());
  send(source);
}

// --- workers ---

void Sources::send(Found found) {
  const auto &[id, source] = *found;
  if (source.addresses.empty() || !source.slot || !listener_.worker_serves(*source.slot)) return; // later
  control::StartSource message;
  message.source = id;
  message.path = source.pull.path;
  message.url = source.url;
  message.addresses = source.addresses;
  message.transport = source.pull.rule.transport;
  message.any_port = source.pull.rule.any_port;
  message.fingerprint = source.pull.rule.fingerprint;
  Fd trusted;
  auto host = config::host_of_source(source.url);
  // Over HTTP a server may name others that are to be verified.
  bool verifies = host && (host->tls || host->protocol == config::Protocol::Hls);
  if (verifies && message.fingerprint.empty()) {
    if (auto opened = open_trust_store())
      trusted = std::move(*opened);
    else
      log(LogLevel::Warn, "[path {}] {}", source.pull.path, opened.error().message); // the worker trusts nobody then
  }
  int descriptor = trusted.get();
  found->second.sent = true;
  listener_.send_to_worker(*source.slot, message, {&descriptor, trusted ? 1u : 0u});
}

void Sources::fail(Found source, const std::string &reason, bool at_once) {
  control::SourceId id = source->first;
  erase(source);
  listener_.on_source(paths::SourceDown{id, reason, at_once});
}

void Sources::set_slots(const config::PerProtocol<control::SlotSet> &slots) {
  slots_ = slots;
  std::vector<control::SourceId> moving;
  for (auto &[id, source] : sources_) {
    const control::SlotSet &own = slots[source.protocol];
    bool stays = own.empty() || (source.slot && own.contains(*source.slot)); // without slots its path is to go, too
    if (!stays) moving.push_back(id);
  }
  for (control::SourceId id : moving) {
    auto source = sources_.find(id);
    if (source == sources_.end()) continue;
    if (source->second.sent) {
      listener_.send_to_worker(*source->second.slot, control::StopSource{id}, {});
      fail(source, "its worker is given up", true);
    } else {
      place(source->second, choose_slot(source->second));
      send(source);
    }
  }
}

void Sources::on_worker_ready(uint16_t slot) {
  for (auto source = sources_.begin(); source != sources_.end(); ++source)
    if (source->second.slot == slot && !source->second.sent) send(source);
}

void Sources::on_worker_gone(uint16_t slot) {
  std::vector<control::SourceId> lost;
  for (const auto &[id, source] : sources_)
    if (source.slot == slot && source.sent) lost.push_back(id);
  for (control::SourceId id : lost)
    if (auto source = sources_.find(id); source != sources_.end()) fail(source, "its worker failed", true);
}

void Sources::on_message(uint16_t slot, const control::Message &message) {
  auto find = [&](control::SourceId id) {
    auto source = sources_.find(id);
    return source != sources_.end() && source->second.slot == slot && source->second.sent ? source : sources_.end();
  };
  if (const auto *ready = std::get_if<control::SourceReady>(&message)) {
    if (find(ready->source) != sources_.end())
      return listener_.on_source(paths::SourceUp{slot, ready->source, ready->request, ready->description});
    return listener_.send_to_worker(
        slot, control::Refused{ready->request, control::Refusal::BadRequest, "not wanted", {}}, {});
  }
  if (const auto *failed = std::get_if<control::SourceFailed>(&message)) {
    if (auto source = find(failed->source); source != sources_.end())
      fail(source, printable(failed->reason, kMaxReasonBytes));
  } else if (const auto *moved = std::get_if<control::SourceMoved>(&message)) {
    if (auto source = find(moved->source); source != sources_.end()) on_moved(source, moved->url);
  }
}

void Sources::on_moved(Found source, const std::string &url) {
  source->second.sent = false; // that attempt is over
  if (++source->second.redirects > kMaxRedirects) return fail(source, "too many redirects");
  auto host = config::host_of_source(url);
  if (!host) return fail(source, "redirected to what is " + host.error().message);
  if (host->protocol != source->second.protocol) return fail(source, "redirected to another protocol");
  source->second.url = config::redirected_url(source->second.url, url);
  control::SourceId id = source->first;
  listener_.on_source(paths::SourceMoved{id}); // which may end it
  if (source = sources_.find(id); source != sources_.end()) look_up(source);
}

} // namespace sluice
