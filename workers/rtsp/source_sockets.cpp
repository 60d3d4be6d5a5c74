#include "workers/rtsp/source_sockets.h"

#include "common/base/random.h"
#include "common/rtp/packet.h"
#include "common/rtp/rtcp.h"
#include "workers/rtsp/server.h"

#include <cstring>

namespace sluice::rtsp {
namespace {

constexpr int kBufferBytes = 4 << 20; // 200 ms of 50 Mbit/s, with the kernel's overhead
constexpr int kBatchesPerTurn = 8;

Result<loop::SocketAddress> address_of(const std::string &literal, uint16_t port) {
  bool v6 = literal.find(':') != std::string::npos;
  return loop::SocketAddress::parse((v6 ? "[" + literal + "]:" : literal + ":") + std::to_string(port));
}

} // namespace

SourceSockets::SourceSockets(Server &server, Listener &listener, shm::SessionRecord &record)
    : server_(server), listener_(listener), record_(record) {
  for (shm::MediaSocket &socket : record_.sockets) socket.fd = -1;
}

SourceSockets::~SourceSockets() {
  close();
}

void SourceSockets::keep(size_t socket, Fd fd) {
  record_.sockets[socket].cookie = loop::socket_cookie(fd.get());
  record_.sockets[socket].fd = fd.release();
  server_.count_descriptors(1);
  polls_.push_back(std::make_unique<loop::Poll>(server_.event_loop(), record_.sockets[socket].fd, *this));
  polls_.back()->watch(loop::Poll::kReadable);
}

Result<PortPair> SourceSockets::open(size_t track, const loop::SocketAddress &peer) {
  if (!server_.has_descriptors(2)) return Error{"no descriptors left for UDP"};
  loop::UdpPair pair = TRY(loop::open_udp_pair(peer.family(), kBufferBytes, secure_random()));
  keep(2 * track, std::move(pair.rtp));
  keep(2 * track + 1, std::move(pair.rtcp));
  expected_[track] = {.connected = false, .checks_sender = true, .sender = peer, .reply = std::nullopt};
  return PortPair{pair.rtp_port, static_cast<uint16_t>(pair.rtp_port + 1)};
}

Result<void> SourceSockets::connect(size_t track, const MediaRoute &route, const loop::SocketAddress &peer,
                                    const loop::SocketAddress &local, bool any_port) {
  if (route.transport == ClientTransport::Tcp) return {};
  if (route.transport == ClientTransport::Multicast) return join(track, route, local);
  loop::SocketAddress sender = peer;
  if (!route.source.empty()) sender = TRY(address_of(route.source, 0)).in_family(peer.family());
  if (sender.family() != peer.family()) return Error{"media from " + sender.host() + " can't be received here"};
  Expected &expected = expected_[track];
  expected.sender = sender;
  if (any_port) {
    if (route.server_ports) expected.reply = sender.with_port(route.server_ports->rtcp);
  } else {
    TRY(loop::connect_udp_socket(record_.sockets[2 * track].fd, sender.with_port(route.server_ports->rtp)));
    TRY(loop::connect_udp_socket(record_.sockets[2 * track + 1].fd, sender.with_port(route.server_ports->rtcp)));
    expected.connected = true;
    expected.checks_sender = false;
  }
  if (route.server_ports) punch_hole(track, *route.server_ports);
  return {};
}

Result<void> SourceSockets::join(size_t track, const MediaRoute &route, const loop::SocketAddress &local) {
  if (!server_.has_descriptors(2)) return Error{"no descriptors left for multicast"};
  loop::SocketAddress group = TRY(address_of(route.group, route.group_ports.rtp));
  keep(2 * track, TRY(loop::join_multicast(group, local, kBufferBytes)));
  keep(2 * track + 1, TRY(loop::join_multicast(group.with_port(route.group_ports.rtcp), local, kBufferBytes / 8)));
  Expected &expected = expected_[track];
  expected = {};
  if (route.source.empty()) return {};
  expected.sender = TRY(address_of(route.source, 0)).in_family(group.family());
  expected.checks_sender = true;
  return {};
}

// NATs and firewalls on the way let in what comes back from where something was sent to.
void SourceSockets::punch_hole(size_t track, const PortPair &ports) {
  auto rtp = rtp::make_empty_packet();
  rtp::RtcpPacket rtcp = rtp::make_empty_receiver_report(static_cast<uint32_t>(secure_random()));
  const Expected &expected = expected_[track];
  auto send = [&](size_t socket, Bytes packet, uint16_t port) {
    loop::SocketAddress to = expected.sender.with_port(port);
    (void)::sendto(record_.sockets[socket].fd, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   expected.connected ? nullptr : to.raw(),
                   expected.connected ? 0 : to.length()); // one that is lost harms little
  };
  send(2 * track, rtp, ports.rtp);
  send(2 * track + 1, rtcp.bytes(), ports.rtcp);
}

void SourceSockets::send_rtcp(size_t track, Bytes packet) {
  const Expected &expected = expected_[track];
  int fd = record_.sockets[2 * track + 1].fd;
  if (fd < 0 || (!expected.connected && !expected.reply)) return; // nobody known to send to
  (void)::sendto(fd, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 expected.connected ? nullptr : expected.reply->raw(),
                 expected.connected ? 0 : expected.reply->length()); // one that is lost is followed by the next
}

void SourceSockets::on_poll(int fd, int) {
  for (size_t i = 0; i < shm::kMaxMediaSockets; i++)
    if (record_.sockets[i].fd == fd) return receive(i);
}

void SourceSockets::receive(size_t socket) {
  Nanoseconds wall = wall_now();
  const Expected &expectation = expected_[socket / 2];
  uint64_t generation = generation_;
  bool more = true;
  for (int i = 0; i < kBatchesPerTurn && more; i++) {
    int fd = record_.sockets[socket].fd;
    DatagramReceiver &receiver = server_.datagrams();
    auto batch = expectation.checks_sender ? receiver.receive_with_senders(fd) : receiver.receive(fd);
    for (size_t j = 0; j < batch.datagrams.size(); j++) {
      if (expectation.checks_sender && !expected(expectation, batch.senders[j])) continue;
      Bytes datagram = batch.datagrams[j];
      record_.bytes_in.fetch_add(datagram.size(), std::memory_order_relaxed);
      record_.packets_in.fetch_add(1, std::memory_order_relaxed);
      listener_.on_datagram(socket / 2, socket % 2 == 1, datagram, wall);
      if (generation != generation_) return;
    }
    more = batch.more;
  }
  listener_.on_datagrams_end();
}

bool SourceSockets::expected(const Expected &expected, const sockaddr_in6 &sender) const {
  if (sender.sin6_family != expected.sender.family()) return false;
  const auto &wanted = *reinterpret_cast<const sockaddr_in6 *>(expected.sender.raw());
  if (sender.sin6_family == AF_INET6)
    return std::memcmp(&sender.sin6_addr, &wanted.sin6_addr, sizeof sender.sin6_addr) == 0;
  const auto &v4 = reinterpret_cast<const sockaddr_in &>(sender);
  return v4.sin_addr.s_addr == reinterpret_cast<const sockaddr_in &>(wanted).sin_addr.s_addr;
}

void SourceSockets::close() {
  generation_++;
  polls_.clear();
  for (shm::MediaSocket &socket : record_.sockets) {
    if (socket.fd < 0) continue;
    int fd = std::exchange(socket.fd, -1);
    socket.cookie = 0;
    ::close(fd);
    server_.count_descriptors(-1);
  }
}

} // namespace sluice::rtsp
