#include "common/base/log.h"
#include "common/base/random.h"
#include "common/rtp/rtcp.h"
#include "workers/rtsp/server.h"
#include "workers/rtsp/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::rtsp {
namespace {

constexpr int kPublisherBufferBytes = 4 << 20; // 200 ms of 50 Mbit/s, with the kernel's overhead
constexpr int kReaderBufferBytes = 16 << 10;   // receiver reports
constexpr int kBatchesPerTurn = 8;

} // namespace

control::Claim Session::claim_of(const PortPair &client, std::string path, bool publishes) const {
  return {.session = id(),
          .publishes = publishes,
          .path = std::move(path),
          .addresses = {peer_.with_port(client.rtp).text(), peer_.with_port(client.rtcp).text()},
          .in_use = fmt::format("UDP ports {} and {} are already in use by another {}", client.rtp, client.rtcp,
                                publishes ? "client" : "reader")};
}

Result<void> Session::open_udp(uint32_t track, const PortPair &client, Direction direction) {
  if (record_.sockets[2 * track].fd >= 0) return Error{fmt::format("track {} has already been setup", track)};
  if (direction == Direction::Record && udp_input_ == nullptr) udp_input_ = std::make_unique<UdpInput>();
  if (!server_.has_descriptors(2)) return Error{"no descriptors left for UDP"};
  int buffer = direction == Direction::Record ? kPublisherBufferBytes : kReaderBufferBytes;
  Fd rtp = TRY(server_.connect_media_socket(false, local_, peer_.with_port(client.rtp), buffer));
  Fd rtcp = TRY(server_.connect_media_socket(true, local_, peer_.with_port(client.rtcp), kReaderBufferBytes));
  server_.count_descriptors(2);
  size_t first = 2 * track;
  for (Fd *fd : {&rtp, &rtcp}) {
    shm::MediaSocket &socket = record_.sockets[first++];
    socket.cookie = loop::socket_cookie(fd->get());
    socket.fd = fd->release();
    polls_.push_back(std::make_unique<loop::Poll>(server_.event_loop(), socket.fd, *this));
    polls_.back()->watch(loop::Poll::kReadable);
  }
  return {};
}

void Session::close_sockets() {
  if (seat_) server_.multicast().leave(*std::exchange(seat_, std::nullopt));
  polls_.clear();
  for (shm::MediaSocket &socket : record_.sockets) {
    if (socket.fd < 0) continue;
    int fd = std::exchange(socket.fd, -1);
    socket.cookie = 0;
    ::close(fd);
    server_.count_descriptors(-1);
  }
}

void Session::punch_holes() {
  auto rtp = rtp::make_empty_packet();
  rtp::RtcpPacket rtcp = rtp::make_empty_receiver_report(static_cast<uint32_t>(secure_random()));
  for (size_t i = 0; i < track_count(); i++) {
    (void)::send(record_.sockets[2 * i].fd, rtp.data(), rtp.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)::send(record_.sockets[2 * i + 1].fd, rtcp.buffer.data(), rtcp.size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

// --- input ---

void Session::on_poll(int fd, int) {
  for (size_t i = 0; i < shm::kMaxMediaSockets; i++)
    if (record_.sockets[i].fd == fd) return receive_datagrams(i);
}

void Session::receive_datagrams(size_t socket) {
  server_.note_blame(id());
  Nanoseconds now = server_.event_loop().now(), wall = wall_now();
  bool any = false, more = true;
  for (int i = 0; i < kBatchesPerTurn && more; i++) {
    DatagramReceiver::Batch batch = server_.datagrams().receive(record_.sockets[socket].fd);
    for (Bytes datagram : batch.datagrams) any = on_datagram(socket, datagram, now, wall) || any;
    more = batch.more;
  }
  if (any) {
    keep_alive(now);
    if (udp_input_) udp_input_->heard[socket] = now;
  }
  if (publisher_ != nullptr && publisher_->recording()) publisher_->commit(0, now);
}

// Whether it was what it should be. Rubbish is ignored: anyone can send it.
bool Session::on_datagram(size_t socket, Bytes datagram, Nanoseconds now, Nanoseconds wall) {
  uint32_t track = static_cast<uint32_t>(socket / 2);
  bool rtcp = socket % 2 == 1;
  record_.bytes_in.fetch_add(datagram.size(), std::memory_order_relaxed);
  record_.packets_in.fetch_add(1, std::memory_order_relaxed);
  if (state().state == State::Record && track >= state().carried_count()) return true;
  if (state().state == State::Record && !rtcp) return publisher_->on_rtp(track, datagram, now, wall).has_value();
  if ((state().state != State::Record && state().state != State::Play) || !rtcp) return false;
  return on_report(track, datagram, now).has_value();
}

// --- a publisher's ports that were translated ---

void Session::on_offer(const control::StrayOffer &offer) {
  if (state().state != State::Record || udp_input_ == nullptr || udp_input_->move || !server_.has_descriptors(1))
    return;
  UdpInput &input = *udp_input_;
  auto when = [](Nanoseconds heard) { return heard != 0 ? std::optional(heard) : std::nullopt; };
  std::vector<MovedSender::Track> tracks;
  for (size_t i = 0; i < track_count(); i++)
    tracks.push_back({description_.tracks[i].payload_type, publisher_->ssrc(i), when(input.heard[2 * i]),
                      when(input.heard[2 * i + 1])});
  auto socket = input.moved_sender.on_offer(offer, tracks, server_.event_loop().now());
  auto address = loop::SocketAddress::parse(offer.datagram.address);
  if (!socket || !address || !address->same_host(peer_)) return;
  input.move = Move{*socket, address->port()};
  if (std::erase(input.left_ports, address->port()) > 0) return on_claimed(true); // it is the session's still
  server_.ask_for_address({.session = id(),
                           .publishes = true,
                           .path = std::string(state().path_text()),
                           .addresses = {peer_.with_port(address->port()).text()},
                           .in_use = "in use"});
}

void Session::on_claimed(bool granted) {
  if (udp_input_ == nullptr) return;
  auto move = std::exchange(udp_input_->move, std::nullopt);
  if (!granted || !move || closed_ || !over_udp() || record_.sockets[move->socket].fd < 0) return;
  if (auto moved = move_socket(move->socket, move->port); !moved)
    log(LogLevel::Warn, "[RTSP] [session {}] can't follow its client to port {}: {}", log_id(), move->port,
        moved.error().message);
}

Result<void> Session::move_socket(size_t index, uint16_t port) {
  bool rtcp = index % 2 == 1;
  Fd fd = TRY(server_.connect_media_socket(rtcp, local_, peer_.with_port(port),
                                           rtcp ? kReaderBufferBytes : kPublisherBufferBytes));
  receive_datagrams(index); // what the client sent from where it was
  shm::MediaSocket &socket = record_.sockets[index];
  std::erase_if(polls_, [&](const auto &poll) { return poll->fd() == socket.fd; });
  int former = std::exchange(socket.fd, -1);
  socket.cookie = loop::socket_cookie(fd.get());
  socket.fd = fd.release();
  ::close(former);
  polls_.push_back(std::make_unique<loop::Poll>(server_.event_loop(), socket.fd, *this));
  polls_.back()->watch(loop::Poll::kReadable);
  TrackState &track = state().tracks[index / 2];
  log(LogLevel::Info, "[RTSP] [session {}] {} of track {} comes from port {}, not {}", log_id(), rtcp ? "RTCP" : "RTP",
      index / 2, port, rtcp ? track.client_rtcp_port : track.client_rtp_port);
  udp_input_->left_ports.push_back(std::exchange(rtcp ? track.client_rtcp_port : track.client_rtp_port, port));
  udp_input_->heard[index] = server_.event_loop().now(); // or it would follow everybody by turns
  udp_input_->moved_sender.on_moved();
  return {};
}

// From here on what comes from elsewhere on its host is more likely another session's.
void Session::note_heard_all() {
  if (heard_all_noted_ || !over_udp()) return;
  for (size_t i = 0; i < track_count(); i++)
    if (!publisher_->ssrc(i)) return;
  heard_all_noted_ = true;
  server_.supervisor().send(control::HeardAll{.session = id()});
}

} // namespace sluice::rtsp
