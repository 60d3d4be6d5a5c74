#include "common/loop/resolver.h"

#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace sluice::loop {

struct Resolver::Lookup {
  uv_getaddrinfo_t request{};
  Resolver *owner = nullptr; // null: nobody wants the answer any more
  std::string host;
};

namespace {

std::vector<SocketAddress> addresses_in(const addrinfo *found, uint16_t port) {
  std::vector<SocketAddress> addresses;
  for (; found != nullptr; found = found->ai_next) {
    if (found->ai_family != AF_INET && found->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
    addresses.push_back(SocketAddress(storage).with_port(port));
  }
  return addresses;
}

} // namespace

Resolver::~Resolver() {
  for (Lookup *lookup : running_) lookup->owner = nullptr;
}

std::optional<SocketAddress> Resolver::literal(const std::string &host, uint16_t port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  std::vector<SocketAddress> addresses = addresses_in(found, port);
  return addresses.empty() ? std::nullopt : std::optional(addresses.front());
}

void Resolver::resolve(uint64_t id, const std::string &host, uint16_t port) {
  std::vector<Asked> &asked = asked_[host];
  if (asked.empty()) waiting_.push_back(host);
  asked.push_back({id, port});
  start_next();
}

// The lookup itself goes on; its name may be asked for again meanwhile.
void Resolver::cancel(uint64_t id) {
  for (auto &[host, asked] : asked_) std::erase_if(asked, [id](const Asked &one) { return one.id == id; });
  std::erase_if(waiting_, [this](const std::string &host) { return asked_.at(host).empty(); });
  std::erase_if(asked_, [](const auto &entry) { return entry.second.empty(); });
}

void Resolver::start_next() {
  while (!waiting_.empty() && running_.size() < kMaxAtOnce) {
    auto lookup = std::make_unique<Lookup>();
    lookup->owner = this;
    lookup->host = std::move(waiting_.front());
    lookup->request.data = lookup.get();
    waiting_.pop_front();
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    auto done = [](uv_getaddrinfo_t *request, int status, addrinfo *found) {
      std::unique_ptr<Lookup> finished(static_cast<Lookup *>(request->data));
      if (finished->owner != nullptr) finished->owner->finish(*finished, status, found);
      uv_freeaddrinfo(found);
    };
    int error = uv_getaddrinfo(loop_.raw(), &lookup->request, done, lookup->host.c_str(), nullptr, &hints);
    running_.push_back(lookup.get());
    if (error == 0) {
      (void)lookup.release(); // until `done`
      continue;
    }
    finish(*lookup, error, nullptr);
  }
}

void Resolver::finish(Lookup &lookup, int status, const addrinfo *found) {
  std::erase(running_, &lookup);
  // Whoever cancelled and asked again while it was under way stands in waiting_, too, and is answered by this one.
  std::erase(waiting_, lookup.host);
  auto entry = asked_.find(lookup.host);
  std::vector<Asked> asked;
  if (entry != asked_.end()) {
    asked = std::move(entry->second);
    asked_.erase(entry);
  }
  for (const Asked &one : asked) {
    std::vector<SocketAddress> addresses = addresses_in(found, one.port);
    if (!addresses.empty())
      listener_.on_resolved(one.id, addresses);
    else
      listener_.on_resolved(one.id, Error{"name '" + lookup.host + "' can't be resolved: " +
                                          (status != 0 ? uv_strerror(status) : "no addresses")});
  }
  start_next();
}

} // namespace sluice::loop
