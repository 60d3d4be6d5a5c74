// The UDP sockets of a source, or its memberships of multicast groups: a pair a track, in the record of its session.
// Owned by its Source, which closes them before it gives the record back.
#pragma once

#include "common/loop/loop.h"
#include "common/loop/media_sockets.h"
#include "common/media/stream_description.h"
#include "ipc/shm/session_table.h"
#include "workers/rtsp/protocol/client_transport.h"

#include <array>
#include <memory>
#include <vector>

namespace sluice::rtsp {

class Server;

class SourceSockets final : public loop::Poll::Listener {
public:
  struct Listener {
    virtual ~Listener() = default;
    virtual void on_datagram(size_t track, bool rtcp, Bytes datagram, Nanoseconds wall) = 0;
    virtual void on_datagrams_end() = 0; // of a batch
  };

  SourceSockets(Server &server, Listener &listener, shm::SessionRecord &record);
  ~SourceSockets() override;

  // For RTP and RTCP of a track, to be told to the server; it may send from the addresses of `peer`'s family.
  Result<PortPair> open(size_t track, const loop::SocketAddress &peer);
  // What the server answered. `peer`, `local`: of the connection. `any_port`: only its address counts.
  Result<void> connect(size_t track, const MediaRoute &route, const loop::SocketAddress &peer,
                       const loop::SocketAddress &local, bool any_port);
  void send_rtcp(size_t track, Bytes packet);
  void close();

private:
  struct Expected {
    bool connected = false;                   // the kernel checks the sender
    bool checks_sender = false;               // we do
    loop::SocketAddress sender;               // in the family of the sockets
    std::optional<loop::SocketAddress> reply; // where RTCP goes to, of sockets that are not connected
  };

  void on_poll(int fd, int events) override;
  void receive(size_t socket);
  bool expected(const Expected &expected, const sockaddr_in6 &sender) const;
  Result<void> join(size_t track, const MediaRoute &route, const loop::SocketAddress &local);
  void keep(size_t socket, Fd fd);
  void punch_hole(size_t track, const PortPair &ports);

  Server &server_;
  Listener &listener_;
  shm::SessionRecord &record_;
  std::vector<std::unique_ptr<loop::Poll>> polls_;
  std::array<Expected, media::kMaxTracks> expected_;
  uint64_t generation_ = 0; // another after each close()
};

} // namespace sluice::rtsp
