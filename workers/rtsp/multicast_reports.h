// The receiver reports of a stream's multicast readers in this worker: sockets bound to the groups' RTCP port, joined
// on the interfaces of those readers. Remembers when each client was heard. Owned by the worker's Multicast.
#pragma once

#include "common/base/time.h"
#include "common/loop/loop.h"
#include "common/loop/socket.h"
#include "ipc/control/messages.h"

#include <map>
#include <memory>
#include <vector>

namespace sluice::rtsp {

class MulticastReports final : public loop::Poll::Listener {
public:
  // Error: addresses that are none, or that another program holds alone.
  static Result<std::unique_ptr<MulticastReports>> create(loop::Loop &loop, const control::MulticastGranted &granted);

  // A session on this interface, from this address; leave() undoes it. Error: the interface can't be joined.
  Result<void> join(uint32_t interface, const loop::SocketAddress &client);
  void leave(uint32_t interface, const loop::SocketAddress &client);
  // When the client's host sent its last report; 0: it did not.
  Nanoseconds heard(const loop::SocketAddress &client) const;

  bool unused() const { return clients_.empty(); }
  size_t descriptors() const { return groups_.size(); }

private:
  struct Group {
    loop::SocketAddress address;
    Fd fd;
    std::unique_ptr<loop::Poll> poll;
  };
  struct Client {
    size_t sessions = 0;
    Nanoseconds heard = 0;
  };

  explicit MulticastReports(loop::Loop &loop) : loop_(loop) {}
  void on_poll(int fd, int events) override;

  loop::Loop &loop_;
  std::vector<Group> groups_;             // one a track
  std::map<uint32_t, size_t> interfaces_; // sessions on each
  std::map<std::string, Client> clients_; // by host
};

} // namespace sluice::rtsp
