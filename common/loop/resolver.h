// Looks names up without blocking the loop: on libuv's threads, a few at a time, each name once however many ask.
// The loop and the listener outlive it.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/socket.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::loop {

class Resolver {
public:
  static constexpr size_t kMaxAtOnce = 8; // what the threads are left to do beside: main() makes them 16

  struct Listener {
    virtual ~Listener() = default;
    // All addresses of the name, in the order in which they should be tried. Error: why there are none.
    virtual void on_resolved(uint64_t id, const Result<std::vector<SocketAddress>> &addresses) = 0;
  };

  Resolver(Loop &loop, Listener &listener) : loop_(loop), listener_(listener) {}
  ~Resolver();

  // A literal's address, if `host` is one (IPv6 without brackets).
  static std::optional<SocketAddress> literal(const std::string &host, uint16_t port);
  // The listener hears of it once, later, unless it is cancelled. An id is used for one lookup at a time.
  void resolve(uint64_t id, const std::string &host, uint16_t port);
  void cancel(uint64_t id);

private:
  struct Lookup; // under way
  struct Asked {
    uint64_t id;
    uint16_t port;
  };

  void start_next();
  void finish(Lookup &lookup, int status, const addrinfo *found);

  Loop &loop_;
  Listener &listener_;
  std::map<std::string, std::vector<Asked>> asked_; // by host; waiting and under way
  std::deque<std::string> waiting_;
  std::vector<Lookup *> running_; // they outlive us, if need be
};

} // namespace sluice::loop
