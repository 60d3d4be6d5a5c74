#include "workers/rtsp/multicast.h"

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/loop/multicast.h"
#include "workers/rtsp/server.h"

namespace sluice::rtsp {

void Multicast::on_message(const control::SendMulticast &message, int ring_fd) {
  if (auto sent = send(message, ring_fd); !sent)
    log(LogLevel::Error, "[RTSP] a stream can't be sent by multicast: {}", sent.error().message);
}

Result<void> Multicast::send(const control::SendMulticast &message, int ring_fd) {
  Nanoseconds now = server_.event_loop().now();
  if (auto found = senders_.find(message.stream); found != senders_.end()) return found->second->follow(message, now);
  Stream *stream = TRY(server_.streams().enter(message.stream, ring_fd));
  auto sender = std::make_unique<MulticastSender>(server_, *stream);
  auto followed = sender->follow(message, now);
  if (!followed) {
    sender.reset();
    server_.streams().leave(*stream);
    return followed;
  }
  senders_.emplace(message.stream, std::move(sender));
  server_.streams().schedule_round(message.stream);
  return {};
}

void Multicast::on_message(const control::StopMulticast &message) {
  auto found = senders_.find(message.stream);
  if (found == senders_.end()) return;
  Stream &stream = found->second->stream();
  found->second->finish();
  senders_.erase(found);
  server_.streams().leave(stream);
}

void Multicast::on_second(Nanoseconds now) {
  for (auto &[stream, sender] : senders_) sender->on_second(now);
}

Result<uint32_t> Multicast::interface_of(const loop::SocketAddress &local) const {
  auto base = TRY(loop::SocketAddress::parse(server_.settings().rtsp.multicast_base + ":0"));
  uint32_t interface = loop::multicast_interface(local, base);
  if (interface == 0) return Error{"no network interface for multicast"};
  return interface;
}

Result<void> Multicast::join(const MulticastSeat &seat, const control::MulticastGranted &granted) {
  auto found = reports_.find(seat.stream);
  if (found == reports_.end()) {
    if (!server_.has_descriptors(granted.groups.size())) return Error{"no descriptors left for multicast"};
    auto created = TRY(MulticastReports::create(server_.event_loop(), granted));
    server_.count_descriptors(static_cast<ptrdiff_t>(created->descriptors()));
    found = reports_.emplace(seat.stream, std::move(created)).first;
  }
  auto joined = found->second->join(seat.interface, seat.client);
  if (!joined && found->second->unused()) {
    server_.count_descriptors(-static_cast<ptrdiff_t>(found->second->descriptors()));
    reports_.erase(found);
  }
  return joined;
}

void Multicast::leave(const MulticastSeat &seat) {
  auto found = reports_.find(seat.stream);
  CHECK(found != reports_.end());
  found->second->leave(seat.interface, seat.client);
  if (!found->second->unused()) return;
  server_.count_descriptors(-static_cast<ptrdiff_t>(found->second->descriptors()));
  reports_.erase(found);
}

Nanoseconds Multicast::heard(const MulticastSeat &seat) const {
  auto found = reports_.find(seat.stream);
  return found == reports_.end() ? 0 : found->second->heard(seat.client);
}

} // namespace sluice::rtsp
